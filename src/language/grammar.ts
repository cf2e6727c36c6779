import { EOF, type CstNode, type TokenType } from "chevrotain";
import { ProtocolGrammar } from "./grammar-protocols.js";
import { clauseWords, declarationWords, tableWords } from "./keywords.js";
import {
  Colon,
  Comma,
  Define,
  DotDot,
  Equals,
  Identifier,
  LeftBrace,
  LeftBracket,
  RightBrace,
  Semicolon,
  StringLiteral,
  word,
} from "./tokens.js";

type DeclarationKind =
  | "import"
  | "device"
  | "specSection"
  | "features"
  | "config"
  | "queues"
  | "layout"
  | "enumeration"
  | "define"
  | "constant"
  | "letDeclaration"
  | "request"
  | "protocol"
  | "answers"
  | "table"
  | "registers"
  | "external"
  | "field"
  | "empty"
  | "unknown";

const tables: ReadonlySet<TokenType> = new Set(tableWords.map((table) => word(table)));
/** Behind a word that could start a declaration: the word is the type of a field after all. */
const afterFieldName: ReadonlySet<TokenType> = new Set([Semicolon, LeftBracket]);
const afterMemberName: ReadonlySet<TokenType> = new Set([Equals, Semicolon, Comma, RightBrace, Colon]);

/** Declarations, and the file that holds them. */
export class Grammar extends ProtocolGrammar {
  #kind: DeclarationKind = "unknown";

  constructor(validate = false) {
    super(validate);
    this.performSelfAnalysis();
  }

  /** Parses the tokens given to `begin`. */
  parse(): CstNode {
    return this.file();
  }

  protected readonly file = this.RULE("file", () => {
    this.MANY({
      GATE: () => !this.is(1, EOF),
      DEF: () => this.SUBRULE(this.declaration),
    });
  });

  protected readonly declaration = this.RULE("declaration", () => {
    this.ACTION(() => {
      this.beginMember();
      this.#kind = this.classifyDeclaration();
    });
    const when = (kind: DeclarationKind) => () => this.#kind === kind;
    const label = { LABEL: "node" };
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: when("layout"), ALT: () => this.SUBRULE(this.structDeclaration, label) },
        { GATE: when("enumeration"), ALT: () => this.SUBRULE(this.enumeration, label) },
        { GATE: when("request"), ALT: () => this.SUBRULE(this.request, label) },
        { GATE: when("protocol"), ALT: () => this.SUBRULE(this.protocol, label) },
        { GATE: when("answers"), ALT: () => this.SUBRULE(this.answers, label) },
        { GATE: when("define"), ALT: () => this.SUBRULE(this.define, label) },
        { GATE: when("constant"), ALT: () => this.SUBRULE(this.constant, label) },
        { GATE: when("letDeclaration"), ALT: () => this.SUBRULE(this.letDeclaration, label) },
        { GATE: when("specSection"), ALT: () => this.SUBRULE(this.specSection, label) },
        { GATE: when("features"), ALT: () => this.SUBRULE(this.features, label) },
        { GATE: when("config"), ALT: () => this.SUBRULE(this.config, label) },
        { GATE: when("queues"), ALT: () => this.SUBRULE(this.queues, label) },
        { GATE: when("table"), ALT: () => this.SUBRULE(this.table, label) },
        { GATE: when("registers"), ALT: () => this.SUBRULE(this.registers, label) },
        { GATE: when("external"), ALT: () => this.SUBRULE(this.external, label) },
        { GATE: when("device"), ALT: () => this.SUBRULE(this.device, label) },
        { GATE: when("import"), ALT: () => this.SUBRULE(this.import, label) },
        { GATE: when("field"), ALT: () => this.SUBRULE(this.field, label) },
        { GATE: when("empty"), ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("a declaration", declarationWords));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  private classifyDeclaration(): DeclarationKind {
    const type = this.LA(1).tokenType;
    if (type === Define) return "define";
    if (type === Semicolon) return "empty";
    const isType = this.isName(2) && this.isOneOf(3, afterFieldName);
    if (type === word("import")) return "import";
    if (type === word("spec")) return "specSection";
    if (type === word("const")) return "constant";
    if (type === word("let")) return "letDeclaration";
    if (type === word("external")) return "external";
    if (type === word("open")) return this.is(2, word("enum")) || this.is(2, word("flags")) ? "enumeration" : "unknown";
    if (type === word("device") || type === word("core")) return isType ? "field" : "device";
    if (type === word("request")) return isType ? "field" : "request";
    if (type === word("protocol")) return isType ? "field" : "protocol";
    if (type === word("answers")) return isType ? "field" : "answers";
    if (type === word("features")) return isType ? "field" : "features";
    if (type === word("config")) return isType ? "field" : "config";
    if (type === word("queues")) return isType ? "field" : "queues";
    if (type === word("registers")) return isType ? "field" : "registers";
    if (tables.has(type)) return isType ? "field" : "table";
    if (type === word("flags")) return isType ? "field" : "enumeration";
    if (type === word("enum")) {
      const isField = this.isName(2) && this.isName(3) && !this.startsClause(3) && !this.braceIsOnLine();
      return isField ? "field" : "enumeration";
    }
    if (this.startsLayout()) return "layout";
    return this.classifyMember() === "field" ? "field" : "unknown";
  }

  // ---- files and devices ----

  protected readonly import = this.RULE("import", () => {
    this.CONSUME(word("import"));
    this.expect(1, StringLiteral, "the path of a file in quotes");
    this.endMember("`;` after the import");
  });

  protected readonly device = this.RULE("device", () => {
    this.OR([
      { ALT: () => this.CONSUME(word("device"), { LABEL: "keyword" }) },
      { ALT: () => this.CONSUME(word("core"), { LABEL: "keyword" }) },
    ]);
    this.expect(1, Identifier, "the name of the device");
    this.OPTION(() => {
      this.CONSUME(Equals);
      this.SUBRULE(this.expression, { ARGS: ["the number of the device"] });
    });
    this.SUBRULE(this.clauses);
    const open = this.openBlock("`{`", clauseWords);
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.declaration),
    });
    this.OPTION1({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly specSection = this.RULE("specSection", () => {
    this.CONSUME(word("spec"));
    this.expect(1, StringLiteral, "the number of a section in quotes");
    this.endMember("`;` after the section");
  });

  /** `struct X { ... }` with or without the `;` of C. */
  protected readonly structDeclaration = this.RULE("structDeclaration", () => {
    this.SUBRULE(this.layout, { ARGS: [true] });
    this.take(1, Semicolon);
  });

  protected readonly letDeclaration = this.RULE("letDeclaration", () => {
    this.CONSUME(word("let"));
    this.expect(1, Identifier, "a name");
    this.expect(2, Equals, "`=` and a value");
    this.SUBRULE(this.expression, { ARGS: ["a value"] });
    this.endMember("`;` after the value");
  });

  protected readonly external = this.RULE("external", () => {
    this.CONSUME(word("external"));
    this.OPTION({
      GATE: () => this.isName(2),
      DEF: () => this.CONSUME(word("struct")),
    });
    this.expect(1, Identifier, "the name of a type");
    this.SUBRULE(this.clauses);
    this.OR([
      { GATE: () => this.is(1, LeftBrace), ALT: () => this.SUBRULE(this.memberBlock) },
      { ALT: () => this.endMember("`;` after the type", clauseWords) },
    ]);
  });

  protected readonly config = this.RULE("config", () => {
    this.CONSUME(word("config"));
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.memberBlock);
  });

  protected readonly registers = this.RULE("registers", () => {
    this.CONSUME(word("registers"));
    this.expect(1, Identifier, "the name of the registers");
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.memberBlock);
  });

  // ---- enums, features, tables ----

  /** `{ A = 1; B; }`, or with the commas of C. */
  protected readonly entryBlock = this.RULE("entryBlock", () => {
    const open = this.openBlock("`{`", clauseWords);
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.entry),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly entry = this.RULE("entry", () => {
    this.ACTION(() => this.beginMember());
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.is(1, word("enum")) && !this.isOneOf(2, afterMemberName),
          ALT: () => this.SUBRULE(this.maskedEnum, { LABEL: "node" }),
        },
        {
          GATE: () => this.is(1, word("require")) && !this.isOneOf(2, afterMemberName) && this.startsOperand(2),
          ALT: () => this.SUBRULE(this.featureRule, { LABEL: "node" }),
        },
        { ALT: () => this.SUBRULE(this.enumMember, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("a name"));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  protected readonly enumMember = this.RULE("enumMember", () => {
    this.OPTION({
      GATE: () => this.isName(2) && !this.startsClause(2),
      DEF: () => this.CONSUME(word("legacy")),
    });
    this.CONSUME(Identifier);
    this.OPTION1(() => {
      this.CONSUME(Equals);
      this.SUBRULE(this.expression, { ARGS: ["a value"] });
      this.OPTION2(() => {
        this.CONSUME(DotDot);
        this.SUBRULE1(this.expression, { ARGS: ["the end of the range"], LABEL: "end" });
      });
    });
    this.OPTION3(() => {
      this.CONSUME(Colon);
      this.SUBRULE(this.namedType);
    });
    this.SUBRULE(this.clauses);
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { ALT: () => this.CONSUME(Comma) },
        { GATE: () => this.is(1, RightBrace), ALT: () => undefined },
        { ALT: () => this.SUBRULE(this.enumMemberEnd) },
      ],
    });
  });

  protected readonly enumMemberEnd = this.RULE("enumMemberEnd", () => {
    this.endMember("`;`", clauseWords);
  });

  protected readonly maskedEnum = this.RULE("maskedEnum", () => {
    this.CONSUME(word("enum"));
    this.expect(1, Identifier, "a name");
    this.expect(2, word("mask"), "`mask` and the bits of the number");
    this.SUBRULE(this.expression, { ARGS: ["the bits of the number"] });
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.entryBlock);
  });

  /** `require A || B;` in `features`. */
  protected readonly featureRule = this.RULE("featureRule", () => {
    this.CONSUME(word("require"));
    this.SUBRULE(this.expression, { ARGS: ["a condition"] });
    this.endMember("`;` after the rule");
  });

  protected readonly enumeration = this.RULE("enumeration", () => {
    this.OPTION(() => this.CONSUME(word("open")));
    this.OR([
      { ALT: () => this.CONSUME(word("enum"), { LABEL: "keyword" }) },
      { ALT: () => this.CONSUME(word("flags"), { LABEL: "keyword" }) },
    ]);
    this.OPTION1({
      GATE: () => !this.is(1, LeftBrace) && !this.is(1, Colon),
      DEF: () => this.CONSUME(Identifier),
    });
    this.OPTION2(() => {
      this.CONSUME(Colon);
      this.SUBRULE(this.namedType);
    });
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.entryBlock);
    this.take(1, Semicolon);
  });

  protected readonly features = this.RULE("features", () => {
    this.CONSUME(word("features"));
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.entryBlock);
  });

  protected readonly table = this.RULE("table", () => {
    this.OR(tableWords.map((table) => ({ ALT: () => this.CONSUME(word(table), { LABEL: "keyword" }) })));
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.entryBlock);
  });

  // ---- queues ----

  protected readonly queues = this.RULE("queues", () => {
    this.CONSUME(word("queues"));
    const open = this.openBlock("`{`");
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.queueMember),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly queueMember = this.RULE("queueMember", () => {
    this.ACTION(() => this.beginMember());
    this.OR([
      { ALT: () => this.SUBRULE(this.queue, { LABEL: "node" }) },
      { ALT: () => this.SUBRULE(this.empty) },
      {
        ALT: () => {
          this.ACTION(() => this.complain("the name of a queue"));
          this.SUBRULE(this.unknown);
        },
      },
    ]);
  });

  protected readonly queue = this.RULE("queue", () => {
    this.CONSUME(Identifier);
    this.OPTION(() => this.SUBRULE(this.dimension));
    this.SUBRULE(this.clauses);
    this.OPTION1(() => {
      this.CONSUME(Colon);
      this.OPTION2({
        GATE: () => this.isName(2) && !this.startsClause(2) && !this.is(1, word("struct")),
        DEF: () => this.CONSUME1(Identifier, { LABEL: "role" }),
      });
      this.SUBRULE(this.namedType, { ARGS: ["the role of the queue and the type of its messages"] });
      this.SUBRULE1(this.clauses);
    });
    this.endMember("`;` after the queue", clauseWords);
  });
}
