import type { TokenType } from "chevrotain";
import { LayoutGrammar } from "./grammar-layout.js";
import { clauseWords, partWords } from "./keywords.js";
import { Identifier, LeftBrace, RightBrace, word } from "./tokens.js";

const partStarts: ReadonlySet<TokenType> = new Set(partWords.map((part) => word(part)));

/** Requests: what the driver lets the device read, and what the device writes. */
export abstract class RequestGrammar extends LayoutGrammar {
  protected readonly request = this.RULE("request", () => {
    this.CONSUME(word("request"));
    this.expect(1, Identifier, "the name of the request");
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.partBlock);
  });

  protected readonly partBlock = this.RULE("partBlock", () => {
    const open = this.openBlock("`{`", clauseWords);
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.part),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly part = this.RULE("part", () => {
    this.ACTION(() => this.beginMember());
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { ALT: () => this.SUBRULE(this.stream, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.matchPart, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.conditionalPart, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.structPart, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("`readable`, `writable`, `match`, `if` or `struct`", partWords));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  protected readonly stream = this.RULE("stream", () => {
    this.OR([
      { ALT: () => this.CONSUME(word("readable"), { LABEL: "direction" }) },
      { ALT: () => this.CONSUME(word("writable"), { LABEL: "direction" }) },
    ]);
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.memberBlock);
  });

  /** `struct virtio_crypto_hash_data_vlf { parts } op_vlf;`: a struct of which some is readable and some writable. */
  protected readonly structPart = this.RULE("structPart", () => {
    this.CONSUME(word("struct"));
    this.expect(1, Identifier, "the name of the struct");
    this.SUBRULE(this.clauses);
    this.SUBRULE(this.partBlock);
    this.SUBRULE(this.declaredName, { ARGS: ["the name of the field"] });
    this.endMember("`;`", clauseWords);
  });

  protected readonly matchPart = this.RULE("matchPart", () => {
    this.CONSUME(word("match"));
    this.SUBRULE(this.expression, { ARGS: ["what to match"] });
    const open = this.openBlock("`{`");
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.partArm),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly partArm = this.RULE("partArm", () => {
    this.armHead();
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { GATE: () => this.is(1, LeftBrace), ALT: () => this.SUBRULE(this.partBlock) },
        { GATE: () => this.isOneOf(1, partStarts), ALT: () => this.SUBRULE(this.part) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("`readable`, `writable` or `{`", partWords));
            this.SUBRULE(this.unknownBody);
          },
        },
      ],
    });
  });

  /** What stands where a body should be, with its block. */
  protected readonly unknownBody = this.RULE("unknownBody", () => {
    this.OPTION({
      GATE: () => this.isNear(LeftBrace),
      DEF: () => this.SUBRULE(this.unknown),
    });
    this.SUBRULE(this.restOfMember);
  });

  protected readonly conditionalPart = this.RULE("conditionalPart", () => {
    this.CONSUME(word("if"));
    this.SUBRULE(this.expression, { ARGS: ["a condition"] });
    this.SUBRULE(this.partBlock);
    this.MANY({
      GATE: () => this.is(2, word("if")),
      DEF: () => {
        this.CONSUME(word("else"));
        this.CONSUME1(word("if"));
        this.SUBRULE1(this.expression, { ARGS: ["a condition"] });
        this.SUBRULE1(this.partBlock);
      },
    });
    this.OPTION(() => {
      this.CONSUME1(word("else"));
      this.SUBRULE2(this.partBlock, { LABEL: "otherwise" });
    });
  });
}
