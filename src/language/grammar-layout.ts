import { EOF, type IToken, type TokenType } from "chevrotain";
import { suggest } from "../diagnostics/suggest.js";
import { FieldPartGrammar, attributeWord, integerType } from "./grammar-field-parts.js";
import { clauseWords, memberWords, modifierWords } from "./keywords.js";
import {
  AnyToken,
  Arrow,
  Colon,
  Comma,
  Define,
  Dot,
  DotDot,
  Equals,
  Greater,
  GreaterOrEqual,
  Identifier,
  LeftBrace,
  LeftBracket,
  LeftParenthesis,
  Less,
  Minus,
  RightBrace,
  RightParenthesis,
  Semicolon,
  word,
} from "./tokens.js";

const modifiers: ReadonlySet<TokenType> = new Set(modifierWords.map((modifier) => word(modifier)));
const layoutWords: ReadonlySet<TokenType> = new Set([word("struct"), word("union"), word("header")]);

type MemberKind = "define" | "constant" | "conditional" | "match" | "field" | "empty" | "unknown";

/** Structs and what they hold: fields, `match`, `if`, constants. */
export abstract class LayoutGrammar extends FieldPartGrammar {
  #memberKind: MemberKind = "unknown";

  /** `{ members }`. */
  protected readonly memberBlock = this.RULE("memberBlock", (expected = "`{`") => {
    const open = this.openBlock(expected, clauseWords);
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.member),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly member = this.RULE("member", () => {
    this.ACTION(() => {
      this.beginMember();
      this.#memberKind = this.classifyMember();
    });
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.#memberKind === "field", ALT: () => this.SUBRULE(this.field, { LABEL: "node" }) },
        { GATE: () => this.#memberKind === "define", ALT: () => this.SUBRULE(this.define, { LABEL: "node" }) },
        { GATE: () => this.#memberKind === "constant", ALT: () => this.SUBRULE(this.constant, { LABEL: "node" }) },
        {
          GATE: () => this.#memberKind === "conditional",
          ALT: () => this.SUBRULE(this.conditionalFields, { LABEL: "node" }),
        },
        { GATE: () => this.#memberKind === "match", ALT: () => this.SUBRULE(this.matchFields, { LABEL: "node" }) },
        { GATE: () => this.#memberKind === "empty", ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("a field", memberWords));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  protected classifyMember(): MemberKind {
    const type = this.LA(1).tokenType;
    if (type === Define) return "define";
    if (type === Semicolon) return "empty";
    if (!this.isName(1)) return "unknown";
    if (type === word("if") && !(this.is(2, Semicolon) || this.is(2, LeftBracket))) return "conditional";
    if (type === word("const") && this.isName(2) && this.is(3, Equals)) return "constant";
    if (type === word("match") && this.isName(2) && !this.is(3, Semicolon)) return "match";
    return this.startsField() ? "field" : "unknown";
  }

  /** Whether a field begins here, perhaps one with a mistake; anything else that starts with a name is unknown. */
  private startsField(): boolean {
    if (this.isOneOf(1, modifiers) || this.isOneOf(1, layoutWords) || this.is(1, word("enum"))) return true;
    const second = this.LA(2).tokenType;
    if (second === LeftBrace) return this.startsBitContainer();
    if (second === Equals) return false;
    if (!this.isName(2))
      return (
        second === Less ||
        second === LeftParenthesis ||
        second === LeftBracket ||
        second === Semicolon ||
        (second === Colon && integerType.test(this.LA(1).image))
      );
    return !this.is(3, Equals) && !this.braceIsOnLine();
  }

  // ---- fields ----

  protected readonly field = this.RULE("field", () => {
    let isReserved = false;
    let isInline = false;
    this.MANY({
      GATE: () => this.isOneOf(1, modifiers) && this.isName(2) && !this.startsClause(2),
      DEF: () => {
        this.ACTION(() => (isReserved ||= this.is(1, word("reserved"))));
        this.SUBRULE(this.modifier);
      },
    });
    this.OPTION3({
      GATE: () => this.startsMisspeltModifier(),
      DEF: () => {
        this.ACTION(() => this.complain("a type", modifierWords));
        this.CONSUME(Identifier, { LABEL: "misspelt" });
      },
    });
    let isContainer = false;
    this.ACTION(() => {
      isContainer = this.startsBitContainer();
      isInline = isContainer || this.startsLayout();
    });
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => isContainer, ALT: () => this.SUBRULE(this.bitContainer) },
        { GATE: () => isInline, ALT: () => this.SUBRULE(this.layout) },
        { ALT: () => this.SUBRULE(this.namedType, { ARGS: ["a type"] }) },
      ],
    });
    this.OPTION({
      // Bits without a name are as in C: there, and for nothing.
      GATE: () =>
        isInline
          ? this.startsDeclarator()
          : !(isReserved || this.is(1, Colon)) || (this.isName(1) && !this.startsClause(1)),
      DEF: () => this.SUBRULE(this.fieldName),
    });
    this.MANY1(() => this.SUBRULE(this.dimension));
    this.OPTION1(() => this.SUBRULE(this.bits));
    this.OPTION2(() => this.SUBRULE(this.attribute));
    this.SUBRULE(this.clauses);
    this.OR1({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.startsRemark(), ALT: () => this.SUBRULE(this.remark) },
        { ALT: () => this.SUBRULE(this.fieldEnd) },
      ],
    });
  });

  /** Complains if the name is missing, or is the start of a clause. */
  protected readonly fieldName = this.RULE("fieldName", () => {
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isName(1) && !this.startsClause(1),
          ALT: () => this.SUBRULE(this.declaredName, { ARGS: ["the name of the field"] }),
        },
        { ALT: () => this.ACTION(() => this.complain("the name of the field")) },
      ],
    });
  });

  protected readonly fieldEnd = this.RULE("fieldEnd", () => {
    this.endMember("`;` after the field", clauseWords);
    this.OPTION({
      GATE: () => this.startsRemark(),
      DEF: () => this.SUBRULE(this.remark),
    });
  });

  // ---- structs, match, if ----

  /** A struct, union or header with its members. */
  protected readonly layout = this.RULE("layout", (needsName = false) => {
    this.OR([
      { ALT: () => this.CONSUME(word("struct"), { LABEL: "keyword" }) },
      { ALT: () => this.CONSUME(word("union"), { LABEL: "keyword" }) },
      { ALT: () => this.CONSUME(word("header"), { LABEL: "keyword" }) },
    ]);
    this.OPTION(() => this.SUBRULE(this.attribute));
    const name = this.OPTION1({
      GATE: () => this.isName(1) && (!this.startsClause(1) || this.is(2, LeftBrace)),
      DEF: () => this.CONSUME(Identifier, { LABEL: "name" }),
    });
    this.ACTION(() => {
      if (needsName && name === undefined) this.complain("a name");
    });
    this.OPTION2(() => this.SUBRULE(this.parameters));
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.memberBlock, { ARGS: ["`{`"] });
    this.OPTION3(() => this.SUBRULE1(this.attribute));
  });

  protected readonly conditionalFields = this.RULE("conditionalFields", () => {
    this.CONSUME(word("if"));
    this.SUBRULE(this.expression, { ARGS: ["a condition"] });
    this.SUBRULE(this.memberBlock, { ARGS: ["`{`"] });
    this.MANY({
      GATE: () => this.is(2, word("if")),
      DEF: () => {
        this.CONSUME(word("else"));
        this.CONSUME1(word("if"));
        this.SUBRULE1(this.expression, { ARGS: ["a condition"] });
        this.SUBRULE1(this.memberBlock, { ARGS: ["`{`"] });
      },
    });
    this.OPTION(() => {
      this.CONSUME1(word("else"));
      this.SUBRULE2(this.memberBlock, { ARGS: ["`{`"], LABEL: "otherwise" });
    });
  });

  protected readonly matchFields = this.RULE("matchFields", () => {
    this.CONSUME(word("match"));
    this.SUBRULE(this.expression, { ARGS: ["what to match"] });
    const open = this.openBlock("`{`");
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.fieldArm),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
    this.OPTION1({
      GATE: () => this.startsDeclarator(),
      DEF: () => this.SUBRULE(this.declaredName, { ARGS: ["a name"] }),
    });
    this.SUBRULE(this.clauses);
    this.OPTION2({
      GATE: () => open !== undefined && !this.is(0, RightBrace),
      DEF: () => this.SUBRULE(this.matchEnd),
    });
  });

  protected readonly matchEnd = this.RULE("matchEnd", () => {
    this.endMember("`;`", clauseWords);
  });

  protected readonly fieldArm = this.RULE("fieldArm", () => {
    const arrow = this.armHead();
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.is(1, LeftBrace), ALT: () => this.SUBRULE(this.memberBlock, { ARGS: ["`{`"] }) },
        {
          GATE: () => arrow !== undefined && !this.is(1, RightBrace) && !this.isOneOf(1, stoppers),
          ALT: () => this.SUBRULE(this.member),
        },
        {
          ALT: () => {
            this.ACTION(() => this.complain("`{` and the fields"));
            this.SUBRULE(this.restOfMember);
          },
        },
      ],
    });
  });

  /** `A, B if C =>`; goes on in front of the body. */
  protected armHead(): IToken | undefined {
    this.ACTION(() => this.beginMember());
    this.SUBRULE8(this.patterns);
    this.SUBRULE8(this.clauses);
    this.OPTION7({
      GATE: () => {
        if (this.is(1, Arrow)) return false;
        this.complain("`=>`", clauseWords);
        return this.isNear(Arrow);
      },
      DEF: () => this.SUBRULE9(this.restOfHead),
    });
    const arrow = this.take(8, Arrow);
    const instead = this.OPTION8({
      GATE: () => arrow === undefined && this.isOneOf(1, likeArrow),
      DEF: () => {
        const first = this.CONSUME8(AnyToken);
        this.take(7, Greater);
        return first;
      },
    });
    return arrow ?? instead;
  }

  protected readonly patterns = this.RULE("patterns", () => {
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.startsClause(1), ALT: () => this.ACTION(() => this.complain("a value")) },
        {
          GATE: () => !this.startsOperand(1) && !this.is(1, Arrow) && !this.is(1, Comma),
          ALT: () => {
            this.ACTION(() => this.complain("a value"));
            this.CONSUME(AnyToken);
          },
        },
        { ALT: () => this.SUBRULE(this.pattern) },
      ],
    });
    this.MANY(() => {
      this.CONSUME(Comma);
      this.SUBRULE1(this.pattern);
    });
  });

  protected readonly pattern = this.RULE("pattern", () => {
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => !this.is(2, Dot), ALT: () => this.CONSUME(word("default")) },
        {
          ALT: () => {
            this.SUBRULE(this.expression, { ARGS: ["a value"] });
            this.OPTION(() => {
              this.CONSUME(DotDot);
              this.SUBRULE1(this.expression, { ARGS: ["the end of the range"], LABEL: "end" });
            });
          },
        },
      ],
    });
  });

  // ---- looking ahead ----

  /** `voltaile le16 room`: one name too many, of which the first is nearly a modifier. */
  private startsMisspeltModifier(): boolean {
    if (!this.isName(2) || this.isOneOf(1, modifiers) || this.isOneOf(1, layoutWords)) return false;
    const hasType = integerType.test(this.LA(2).image);
    const hasName = this.isName(3) && !this.isFirstOfLine(3) && !this.startsClause(3);
    return (hasType || hasName) && suggest(this.LA(1).image, modifierWords) !== undefined;
  }

  /** Whether a struct with members begins here, rather than a field whose type is one. */
  protected startsLayout(): boolean {
    if (!this.isOneOf(1, layoutWords)) return false;
    if (this.is(2, LeftBrace) || this.is(2, attributeWord)) return true;
    if (!this.isName(2)) return false;
    if (this.is(3, LeftParenthesis)) return this.parametersThenBody();
    return this.is(3, LeftBrace) || this.is(3, attributeWord) || this.startsClause(3) || this.braceIsOnLine();
  }

  /** Tells `struct Vlf(key_len) {` from `struct Vlf(flf.key_len) vlf;`. */
  private parametersThenBody(): boolean {
    let distance = 4;
    while (this.isName(distance) || this.is(distance, Comma)) distance++;
    return this.is(distance, RightParenthesis) && (this.is(distance + 1, LeftBrace) || this.startsClause(distance + 1));
  }

  /** Whether a name follows the `}` of a layout: `} geometry if GEOMETRY;`. */
  private startsDeclarator(): boolean {
    if (!this.isName(1) || this.is(1, attributeWord) || this.startsClause(1)) return false;
    const isDoubled = this.LA(1).image === this.LA(2).image && !this.isFirstOfLine(2);
    const isAlone = !this.isFirstOfLine(1) && this.isFirstOfLine(2);
    if (isDoubled || isAlone) return true;
    return this.isOneOf(2, afterDeclarator) || this.startsClause(2) || this.isClauseWord(2);
  }
}

/** What somebody may write for `=>`; `->` is two tokens. */
const likeArrow: ReadonlySet<TokenType> = new Set([Equals, Colon, Greater, GreaterOrEqual, Minus]);
const stoppers: ReadonlySet<TokenType> = new Set([EOF, Semicolon, Comma]);
const afterDeclarator: ReadonlySet<TokenType> = new Set([
  Semicolon,
  LeftBracket,
  Colon,
  RightBrace,
  LeftParenthesis,
  EOF,
]);
