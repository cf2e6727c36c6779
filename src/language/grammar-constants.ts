import { ClauseGrammar } from "./grammar-clauses.js";
import { clauseWords } from "./keywords.js";
import {
  AnyToken,
  Comma,
  Define,
  EndOfDefine,
  Equals,
  Identifier,
  LeftParenthesis,
  RightParenthesis,
  word,
} from "./tokens.js";

/** Constants, the author's and those of pasted listings. */
export abstract class ConstantGrammar extends ClauseGrammar {
  protected readonly parameters = this.RULE("parameters", () => {
    this.CONSUME(LeftParenthesis);
    this.OPTION2({
      GATE: () => !this.is(1, RightParenthesis),
      DEF: () => {
        this.expect(1, Identifier, "the name of a parameter", "names");
        this.MANY(() => {
          this.CONSUME(Comma);
          this.expect(3, Identifier, "the name of a parameter", "names");
        });
      },
    });
    this.expect(4, RightParenthesis, "`)`");
  });

  /** `#define A 1`, `#define F(x) ((x) << 8)`; prose behind the value is forgiven. */
  protected readonly define = this.RULE("define", () => {
    this.CONSUME(Define);
    this.ACTION(() => (this.inDefine = true));
    this.expect(1, Identifier, "the name of a constant");
    this.OPTION2({
      GATE: () => this.isAdjacent(1),
      DEF: () => this.SUBRULE(this.parameters),
    });
    this.OPTION3({
      GATE: () => this.startsOperand(1),
      DEF: () => this.SUBRULE(this.expression, { ARGS: ["a value"] }),
    });
    this.ACTION(() => (this.inDefine = false));
    this.MANY({
      GATE: () => !this.is(1, EndOfDefine),
      DEF: () => this.CONSUME(AnyToken, { LABEL: "prose" }),
    });
    this.take(4, EndOfDefine);
  });

  protected readonly constant = this.RULE("constant", () => {
    this.CONSUME(word("const"));
    this.expect(1, Identifier, "the name of a constant");
    this.expect(2, Equals, "`=` and a value");
    this.SUBRULE(this.expression, { ARGS: ["a value"] });
    this.SUBRULE(this.clauses);
    this.endMember("`;` after the constant", clauseWords);
  });
}
