import type { TokenType } from "chevrotain";
import { GrammarBase } from "./grammar-base.js";
import {
  BinaryOperatorToken,
  CharacterLiteral,
  Colon,
  Comma,
  Dot,
  Greater,
  GreaterOrEqual,
  Identifier,
  LeftBrace,
  LeftParenthesis,
  Exclamation,
  Minus,
  nameTypes,
  NumberLiteral,
  Question,
  RightParenthesis,
  StringLiteral,
  Tilde,
  UnaryOperatorToken,
  UnterminatedString,
  VersionNumber,
  word,
} from "./tokens.js";

const operandTypes: ReadonlySet<TokenType> = new Set([
  NumberLiteral,
  VersionNumber,
  CharacterLiteral,
  StringLiteral,
  UnterminatedString,
  LeftParenthesis,
  Minus,
  Exclamation,
  Tilde,
]);
const streamWords: ReadonlySet<TokenType> = new Set([word("readable"), word("writable")]);
const wordOperators: ReadonlySet<TokenType> = new Set([word("or"), word("and")]);

/**
 * Expressions are parsed flat, operand operator operand ..., and the tree is built by precedence afterwards: one rule
 * instead of a dozen nested ones for every number.
 */
export abstract class ExpressionGrammar extends GrammarBase {
  /** In a `#define`, a `(` behind a gap starts a remark and not the arguments of a call. */
  protected inDefine = false;

  /** What the expression is for; the message says it when there is none. */
  protected readonly expression = this.RULE("expression", (expected = "a value") => {
    this.SUBRULE(this.chain, { ARGS: [expected] });
    this.MANY({
      GATE: () => this.is(1, Question),
      DEF: () => {
        this.CONSUME(Question);
        this.SUBRULE1(this.expression, { ARGS: ["a value"], LABEL: "whenTrue" });
        this.expect(1, Colon, "`:` and the other value");
        this.SUBRULE2(this.chain, { ARGS: ["the other value"] });
      },
    });
  });

  /** Operands with operators between them, not yet grouped. */
  protected readonly chain = this.RULE("chain", (expected = "a value") => {
    this.SUBRULE(this.operand, { ARGS: [expected] });
    this.MANY({
      GATE: () => !this.startsWrongArrow() && !(this.inAngle && this.is(1, Greater)),
      DEF: () => {
        this.OR([
          { ALT: () => this.CONSUME(BinaryOperatorToken, { LABEL: "operators" }) },
          { ALT: () => this.CONSUME(word("or"), { LABEL: "operators" }) },
          { ALT: () => this.CONSUME(word("and"), { LABEL: "operators" }) },
        ]);
        this.SUBRULE1(this.operand, { ARGS: ["a value"] });
      },
    });
  });

  protected readonly operand = this.RULE("operand", (expected = "a value") => {
    this.MANY({
      GATE: () => !this.is(1, word("not")) || this.startsOperand(2),
      DEF: () => this.SUBRULE(this.sign),
    });
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { ALT: () => this.CONSUME(NumberLiteral) },
        { GATE: () => this.startsCall(), ALT: () => this.SUBRULE(this.call) },
        { ALT: () => this.SUBRULE(this.path) },
        { ALT: () => this.CONSUME(CharacterLiteral) },
        { ALT: () => this.CONSUME(StringLiteral) },
        { ALT: () => this.CONSUME(VersionNumber) },
        { ALT: () => this.SUBRULE(this.parenthesized) },
        { ALT: () => this.ACTION(() => this.complain(expected)) },
      ],
    });
  });

  protected readonly sign = this.RULE("sign", () => {
    this.OR([
      { ALT: () => this.CONSUME(UnaryOperatorToken, { LABEL: "operator" }) },
      { ALT: () => this.CONSUME(word("not"), { LABEL: "operator" }) },
    ]);
  });

  protected readonly parenthesized = this.RULE("parenthesized", () => {
    const outside = this.inAngle;
    this.ACTION(() => (this.inAngle = false));
    this.CONSUME(LeftParenthesis);
    this.SUBRULE(this.expression, { ARGS: ["a value"] });
    this.ACTION(() => (this.inAngle = outside));
    this.expect(1, RightParenthesis, "`)`");
  });

  /** `config.num_queues`. */
  protected readonly path = this.RULE("path", () => {
    this.CONSUME(Identifier);
    this.MANY(() => {
      this.CONSUME(Dot);
      this.expect(1, Identifier, "a name after `.`");
    });
  });

  /** `min(a, b)` and `sizeof(struct x)`. */
  protected readonly call = this.RULE("call", () => {
    const outside = this.inAngle;
    this.ACTION(() => (this.inAngle = false));
    this.CONSUME(Identifier, { LABEL: "callee" });
    this.CONSUME(LeftParenthesis);
    this.OPTION2({
      GATE: () => !this.is(1, RightParenthesis),
      DEF: () => {
        this.SUBRULE(this.argument);
        this.MANY(() => {
          this.CONSUME(Comma);
          this.SUBRULE1(this.argument);
        });
      },
    });
    this.ACTION(() => (this.inAngle = outside));
    this.expect(1, RightParenthesis, "`)`");
  });

  protected readonly argument = this.RULE("argument", () => {
    this.OPTION({
      GATE: () => this.isName(2),
      DEF: () => this.CONSUME(word("struct")),
    });
    this.SUBRULE(this.expression, { ARGS: ["an argument"] });
  });

  // ---- looking ahead ----

  protected isName(distance: number): boolean {
    return nameTypes.has(this.LA(distance).tokenType);
  }

  /** Whether an expression may begin here. */
  protected startsOperand(distance: number): boolean {
    const type = this.LA(distance).tokenType;
    if (wordOperators.has(type)) return false;
    return operandTypes.has(type) || nameTypes.has(type);
  }

  /** `->` or `>=` in front of a block: somebody meant `=>`. */
  private startsWrongArrow(): boolean {
    if (this.is(1, Minus)) return this.is(2, Greater) && this.isAdjacent(2);
    return this.is(1, GreaterOrEqual) && (this.is(2, LeftBrace) || this.isOneOf(2, streamWords));
  }

  private startsCall(): boolean {
    return this.is(2, LeftParenthesis) && (!this.inDefine || this.isAdjacent(2));
  }
}
