import { ConstantGrammar } from "./grammar-constants.js";
import { clauseWords, modifierWords } from "./keywords.js";
import {
  AnyToken,
  Colon,
  Comma,
  Greater,
  Identifier,
  LeftBrace,
  LeftBracket,
  LeftParenthesis,
  Less,
  Minus,
  RightBrace,
  RightBracket,
  RightParenthesis,
  Semicolon,
  word,
} from "./tokens.js";

export const attributeWord = word("__attribute__");
/** Types that hold bits. */
export const integerType = /^(?:u|le|be)[0-9]+$/;

/** What fields consist of besides their types and names. */
export abstract class FieldPartGrammar extends ConstantGrammar {
  protected readonly modifier = this.RULE("modifier", () => {
    this.OR(modifierWords.map((modifier) => ({ ALT: () => this.CONSUME(word(modifier), { LABEL: "word" }) })));
  });

  protected readonly bits = this.RULE("bits", () => {
    this.CONSUME(Colon);
    this.SUBRULE(this.expression, { ARGS: ["the number of bits"] });
  });

  /** The specification's own notation for bit-fields: `le16 { type : 12; reserved : 4; } head;`. */
  protected readonly bitContainer = this.RULE("bitContainer", () => {
    this.CONSUME(Identifier, { LABEL: "container" });
    this.CONSUME(LeftBrace);
    this.MANY({
      GATE: () => !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.bitMember),
    });
    this.CONSUME(RightBrace);
  });

  protected readonly bitMember = this.RULE("bitMember", () => {
    this.ACTION(() => this.beginMember());
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          ALT: () => {
            this.SUBRULE(this.declaredName);
            this.OPTION(() => this.SUBRULE(this.bits));
            this.SUBRULE(this.clauses);
            this.OR1({
              IGNORE_AMBIGUITIES: true,
              DEF: [{ ALT: () => this.CONSUME(Comma) }, { ALT: () => this.SUBRULE(this.bitMemberEnd) }],
            });
          },
        },
        { ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("the name of a bit-field"));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  protected readonly bitMemberEnd = this.RULE("bitMemberEnd", () => {
    this.endMember("`;` after the bit-field", clauseWords);
  });

  /** `[6]`, `[]`, `[bytes n]`; a listing may also have prose such as `[<actual size>]` or `[Queue Size]`. */
  protected readonly dimension = this.RULE("dimension", () => {
    this.CONSUME(LeftBracket);
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.is(1, Less) || (this.isName(1) && this.isName(2) && !this.is(1, word("bytes"))),
          ALT: () => this.SUBRULE(this.placeholder),
        },
        {
          GATE: () => !this.is(1, RightBracket),
          ALT: () => {
            this.OPTION({
              GATE: () => this.startsOperand(2) && !this.is(2, LeftParenthesis) && !this.is(2, Minus),
              DEF: () => this.CONSUME(word("bytes")),
            });
            this.SUBRULE(this.expression, { ARGS: ["a length or `]`"] });
          },
        },
        { ALT: () => undefined },
      ],
    });
    this.expect(1, RightBracket, "`]`");
  });

  protected readonly placeholder = this.RULE("placeholder", () => {
    this.OPTION(() => this.CONSUME(Less));
    this.MANY(() => this.CONSUME(Identifier));
    this.OPTION1(() => this.CONSUME(Greater));
  });

  /** `(Only if A or B negotiated)` behind a field. */
  protected readonly remark = this.RULE("remark", () => {
    this.CONSUME(LeftParenthesis);
    this.CONSUME(Identifier, { LABEL: "only" });
    this.CONSUME(word("if"));
    this.SUBRULE(this.expression, { ARGS: ["the name of a feature"] });
    this.MANY({
      GATE: () => !this.is(1, RightParenthesis) && !this.isFirstOfLine(1),
      DEF: () => this.CONSUME(AnyToken, { LABEL: "rest" }),
    });
    this.expect(1, RightParenthesis, "`)`");
  });

  /** `__attribute__((packed))`: all layouts are packed anyway. */
  protected readonly attribute = this.RULE("attribute", () => {
    let depth = 0;
    this.CONSUME(attributeWord);
    this.MANY({
      GATE: () => {
        if (this.is(1, LeftParenthesis)) depth++;
        else if (depth === 0 || this.is(1, Semicolon) || this.is(1, RightBrace)) return false;
        else if (this.is(1, RightParenthesis)) depth--;
        return true;
      },
      DEF: () => this.CONSUME(AnyToken),
    });
  });

  // ---- looking ahead ----

  protected startsRemark(): boolean {
    return this.is(1, LeftParenthesis) && this.is(3, word("if")) && this.LA(2).image.toLowerCase() === "only";
  }

  protected startsBitContainer(): boolean {
    return integerType.test(this.LA(1).image) && this.is(2, LeftBrace) && this.isName(3) && this.is(4, Colon);
  }
}
