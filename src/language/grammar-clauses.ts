import type { TokenType } from "chevrotain";
import { ExpressionGrammar } from "./grammar-expressions.js";
import { clauseWords } from "./keywords.js";
import {
  Arrow,
  At,
  Colon,
  Comma,
  Equals,
  Greater,
  Identifier,
  LeftBracket,
  LeftParenthesis,
  Less,
  Minus,
  NumberLiteral,
  RightBrace,
  RightParenthesis,
  Semicolon,
  Star,
  StringLiteral,
  VersionNumber,
  word,
} from "./tokens.js";

/** Words whose clause is the word and an expression. */
const expressionWords = [
  "if",
  "requires",
  "offers",
  "where",
  "default",
  "sized",
  "stride",
  "ends",
  "holds",
  "posted",
  "per",
  "learnt",
] as const;
const wordsAlone = [
  "mandatory",
  "expected",
  "persists",
  "constant",
  "unannounced",
  "terminated",
  "strings",
  "alias",
  "unnamed",
] as const;
const nameWords = ["as", "phase", "before", "only", "by", "members", "clears"] as const;

const clauseStarts: ReadonlySet<TokenType> = new Set([At, ...clauseWords.map((clause) => word(clause))]);
const clauseWordTypes: ReadonlySet<TokenType> = new Set(clauseWords.map((clause) => word(clause)));
/** Tokens that show, behind a word that could start a clause, that the word is a name. */
const afterName: ReadonlySet<TokenType> = new Set([Semicolon, Comma, LeftBracket, Colon, RightBrace, RightParenthesis, Equals, Arrow]); // prettier-ignore

/** What may follow a declaration, in any order, and names of types. */
export abstract class ClauseGrammar extends ExpressionGrammar {
  protected readonly clauses = this.RULE("clauses", () => {
    this.MANY({
      GATE: () => this.isOneOf(1, clauseStarts),
      DEF: () => this.SUBRULE(this.clause),
    });
  });

  protected readonly clause = this.RULE("clause", () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.expressionClause) },
      { ALT: () => this.SUBRULE(this.versionClause) },
      { ALT: () => this.SUBRULE(this.nameClause) },
      { ALT: () => this.SUBRULE(this.formerNameClause) },
      { ALT: () => this.SUBRULE(this.textClause) },
      { ALT: () => this.SUBRULE(this.wordClause) },
      { ALT: () => this.SUBRULE(this.namesClause) },
    ]);
  });

  protected readonly expressionClause = this.RULE("expressionClause", () => {
    this.OR([
      ...expressionWords.map((clause) => ({ ALT: () => this.CONSUME(word(clause), { LABEL: "word" }) })),
      { ALT: () => this.CONSUME(At, { LABEL: "word" }) },
      {
        ALT: () => {
          this.CONSUME(word("valid"), { LABEL: "word" });
          this.expect(1, word("if"), "`if`", "second");
        },
      },
      {
        ALT: () => {
          this.CONSUME(word("merged"), { LABEL: "word" });
          this.expect(2, word("by"), "`by`", "second");
        },
      },
      {
        ALT: () => {
          this.CONSUME(word("implied"), { LABEL: "word" });
          this.expect(3, word("if"), "`if`", "second");
        },
      },
      {
        ALT: () => {
          this.CONSUME(word("native"), { LABEL: "word" });
          this.expect(4, word("if"), "`if`", "second");
        },
      },
    ]);
    this.SUBRULE(this.expression, { ARGS: ["a value"] });
  });

  protected readonly versionClause = this.RULE("versionClause", () => {
    this.OR([
      { ALT: () => this.CONSUME(word("since"), { LABEL: "word" }) },
      { ALT: () => this.CONSUME(word("until"), { LABEL: "word" }) },
    ]);
    this.SUBRULE(this.version);
  });

  protected readonly version = this.RULE("version", () => {
    this.OR([
      { ALT: () => this.CONSUME(VersionNumber, { LABEL: "version" }) },
      { ALT: () => this.CONSUME(NumberLiteral, { LABEL: "version" }) },
      { ALT: () => this.ACTION(() => this.complain("a version such as `1.3`")) },
    ]);
  });

  protected readonly nameClause = this.RULE("nameClause", () => {
    this.OR(nameWords.map((clause) => ({ ALT: () => this.CONSUME(word(clause), { LABEL: "word" }) })));
    this.OR1([{ ALT: () => this.CONSUME(StringLiteral) }, { ALT: () => this.SUBRULE(this.specName) }]);
  });

  /** `was old_name`, `was old_name until 1.2`. */
  protected readonly formerNameClause = this.RULE("formerNameClause", () => {
    this.CONSUME(word("was"), { LABEL: "word" });
    this.OR([{ ALT: () => this.CONSUME(StringLiteral) }, { ALT: () => this.SUBRULE(this.specName) }]);
    this.OPTION(() => {
      this.CONSUME1(word("until"), { LABEL: "until" });
      this.SUBRULE(this.version);
    });
  });

  /** `VIRTIO_BLK_T_*`, `command-specific-data`. */
  protected readonly specName = this.RULE("specName", () => {
    this.OR([
      { ALT: () => this.CONSUME(Identifier, { LABEL: "pieces" }) },
      { ALT: () => this.CONSUME(Star, { LABEL: "pieces" }) },
      { ALT: () => this.ACTION(() => this.complain("a name")) },
    ]);
    this.MANY({
      GATE: () => this.isAdjacent(1),
      DEF: () =>
        this.OR1([
          { ALT: () => this.CONSUME1(Identifier, { LABEL: "pieces" }) },
          { ALT: () => this.CONSUME1(Star, { LABEL: "pieces" }) },
          { ALT: () => this.CONSUME1(Minus, { LABEL: "pieces" }) },
          { ALT: () => this.CONSUME1(NumberLiteral, { LABEL: "pieces" }) },
        ]),
    });
  });

  protected readonly textClause = this.RULE("textClause", () => {
    this.OR([
      { ALT: () => this.CONSUME(word("spec"), { LABEL: "word" }) },
      { ALT: () => this.CONSUME(word("unit"), { LABEL: "word" }) },
    ]);
    this.expect(1, StringLiteral, "a text in quotes");
  });

  protected readonly wordClause = this.RULE("wordClause", () => {
    this.OR(wordsAlone.map((clause) => ({ ALT: () => this.CONSUME(word(clause), { LABEL: "word" }) })));
  });

  /** `window select, subsel`. */
  protected readonly namesClause = this.RULE("namesClause", () => {
    this.CONSUME(word("window"), { LABEL: "word" });
    this.expect(1, Identifier, "the name of a field", "names");
    this.MANY(() => {
      this.CONSUME(Comma);
      this.expect(2, Identifier, "the name of a field", "names");
    });
  });

  /** `le32`, `struct x`, `le32<bitset Cipher>`, `Vlf(flf.key_len)`. */
  protected readonly namedType = this.RULE("namedType", (expected = "a type") => {
    this.OPTION({
      GATE: () => this.isName(2),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(word("struct"), { LABEL: "keyword" }) },
          { ALT: () => this.CONSUME(word("union"), { LABEL: "keyword" }) },
          { ALT: () => this.CONSUME(word("enum"), { LABEL: "keyword" }) },
        ]),
    });
    this.expect(1, Identifier, expected);
    this.OPTION1(() => this.SUBRULE(this.typeContent));
    this.OPTION2(() => this.SUBRULE(this.typeArguments));
  });

  protected readonly typeContent = this.RULE("typeContent", () => {
    this.CONSUME(Less);
    this.ACTION(() => (this.inAngle = true));
    this.SUBRULE(this.typeMeaning);
    this.MANY(() => {
      this.CONSUME(Comma);
      this.SUBRULE1(this.typeMeaning);
    });
    this.ACTION(() => (this.inAngle = false));
    this.expect(2, Greater, "`>`");
  });

  /** `Cipher`, `bitset Cipher @ 32`, `address * 4096`, `address of Domain`, `Flags if op == RW`. */
  protected readonly typeMeaning = this.RULE("typeMeaning", () => {
    this.OPTION({
      GATE: () => this.isName(2) && !this.is(2, word("if")) && !this.is(2, word("of")),
      DEF: () => this.CONSUME(word("bitset")),
    });
    this.expect(1, Identifier, "the name of an enum");
    this.OPTION1(() => {
      this.CONSUME(At);
      this.SUBRULE(this.expression, { ARGS: ["a number"], LABEL: "from" });
    });
    this.OPTION2(() => {
      this.CONSUME(Star);
      this.SUBRULE1(this.expression, { ARGS: ["a number"], LABEL: "scale" });
    });
    this.OPTION3(() => {
      this.CONSUME(word("of"));
      this.expect(2, Identifier, "the name of an address space", "space");
    });
    this.OPTION4(() => {
      this.CONSUME(word("if"));
      this.SUBRULE2(this.expression, { ARGS: ["a condition"], LABEL: "condition" });
    });
  });

  protected readonly typeArguments = this.RULE("typeArguments", () => {
    this.CONSUME(LeftParenthesis);
    this.SUBRULE(this.expression, { ARGS: ["an argument"] });
    this.MANY(() => {
      this.CONSUME(Comma);
      this.SUBRULE1(this.expression, { ARGS: ["an argument"] });
    });
    this.expect(1, RightParenthesis, "`)`");
  });

  /** A name in a declaration; spec listings have hyphens in some. */
  protected readonly declaredName = this.RULE("declaredName", (expected = "a name") => {
    this.expect(1, Identifier, expected, "pieces");
    this.MANY({
      GATE: () => this.isAdjacent(1) && this.isAdjacent(2) && this.isName(2),
      DEF: () => {
        this.CONSUME(Minus, { LABEL: "pieces" });
        this.CONSUME1(Identifier, { LABEL: "pieces" });
      },
    });
  });

  // ---- looking ahead ----

  protected isClauseWord(distance: number): boolean {
    return this.isOneOf(distance, clauseWordTypes);
  }

  /** Whether the token is a word that starts a clause, and what follows it does not make it a name. */
  protected startsClause(distance: number): boolean {
    if (this.is(distance, At)) return true;
    if (!this.isOneOf(distance, clauseWordTypes)) return false;
    return !this.isOneOf(distance + 1, afterName) && !this.isOneOf(distance + 1, clauseWordTypes);
  }
}
