import type { TokenType } from "chevrotain";
import { suggest } from "../diagnostics/suggest.js";
import { RequestGrammar } from "./grammar-requests.js";
import { answerWords, clauseWords, protocolWords } from "./keywords.js";
import { Arrow, Colon, Comma, Dot, Equals, Identifier, RightBrace, StringLiteral, word } from "./tokens.js";

const aRule = "a rule such as `status = INVAL if C;`";
const strengthWords: ReadonlySet<TokenType> = new Set([word("may"), word("should")]);
const verbs: ReadonlySet<TokenType> = new Set(answerWords.map((verb) => word(verb)));

/** What goes on over several messages, and which answers belong to which requests. */
export abstract class ProtocolGrammar extends RequestGrammar {
  protected readonly protocol = this.RULE("protocol", () => {
    this.CONSUME(word("protocol"));
    this.expect(1, Identifier, "the name of the protocol");
    this.SUBRULE(this.clauses);
    const open = this.openBlock("`{`", clauseWords);
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.protocolMember),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly protocolMember = this.RULE("protocolMember", () => {
    this.ACTION(() => this.beginMember());
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        { ALT: () => this.SUBRULE(this.state, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.transition, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.counter, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.invariant, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.lesson, { LABEL: "node" }) },
        { ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain("`state`, `on`, `counter`, `keep` or `learns`", protocolWords));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  /** `state RUNNING;`. */
  protected readonly state = this.RULE("state", () => {
    this.CONSUME(word("state"));
    this.expect(1, Identifier, "the name of a state");
    this.SUBRULE(this.clauses);
    this.endMember("`;` after the state", clauseWords);
  });

  /** `on Control.PCM_START by driver if C : PREPARED, STOPPED => RUNNING;`. */
  protected readonly transition = this.RULE("transition", () => {
    this.CONSUME(word("on"));
    this.SUBRULE(this.events);
    this.SUBRULE(this.clauses);
    this.expect(1, Colon, "`:` and the states in which this may happen");
    this.expect(2, Identifier, "the name of a state", "from");
    this.MANY(() => {
      this.CONSUME(Comma);
      this.expect(3, Identifier, "the name of a state", "from");
    });
    this.OPTION(() => {
      this.CONSUME(Arrow);
      this.expect(4, Identifier, "the name of a state", "to");
    });
    this.endMember("`;` after the states", clauseWords);
  });

  /** Messages, config fields, or in quotes what is neither. */
  protected readonly events = this.RULE("events", () => {
    this.SUBRULE(this.event);
    this.MANY(() => {
      this.CONSUME(Comma);
      this.SUBRULE1(this.event);
    });
  });

  protected readonly event = this.RULE("event", () => {
    this.OR([
      { ALT: () => this.CONSUME(StringLiteral) },
      { ALT: () => this.SUBRULE(this.path) },
      { ALT: () => this.ACTION(() => this.complain("a request, a message or a text in quotes")) },
    ]);
  });

  /** `counter sent : le32 = sent + hdr.len on Packet;`. */
  protected readonly counter = this.RULE("counter", () => {
    this.CONSUME(word("counter"));
    this.expect(1, Identifier, "the name of the counter");
    this.expect(2, Colon, "`:` and the type of the counter");
    this.SUBRULE(this.namedType);
    this.expect(3, Equals, "`=` and the next value");
    this.SUBRULE(this.expression, { ARGS: ["the next value"] });
    this.expect(4, word("on"), "`on` and the messages that change it");
    this.SUBRULE(this.events);
    this.SUBRULE(this.clauses);
    this.endMember("`;` after the counter", clauseWords);
  });

  /** `keep sent <= allowed;`. */
  protected readonly invariant = this.RULE("invariant", () => {
    this.CONSUME(word("keep"));
    this.SUBRULE(this.expression, { ARGS: ["a condition"] });
    this.endMember("`;` after the condition");
  });

  /** `learns type, count on Control.CTL_INFO;`. */
  protected readonly lesson = this.RULE("lesson", () => {
    this.CONSUME(word("learns"));
    this.expect(1, Identifier, "the name of a field", "fields");
    this.MANY(() => {
      this.CONSUME(Comma);
      this.expect(2, Identifier, "the name of a field", "fields");
    });
    this.expect(3, word("on"), "`on` and the messages that tell it");
    this.SUBRULE(this.events);
    this.endMember("`;` after the messages");
  });

  protected readonly answers = this.RULE("answers", () => {
    this.CONSUME(word("answers"));
    this.expect(1, Identifier, "the name of a request");
    this.SUBRULE(this.clauses);
    const open = this.openBlock("`{`", clauseWords);
    this.MANY({
      GATE: () => open !== undefined && !this.is(1, RightBrace),
      DEF: () => this.SUBRULE(this.answerMember),
    });
    this.OPTION({
      GATE: () => open !== undefined,
      DEF: () => this.CONSUME(RightBrace),
    });
  });

  protected readonly answerMember = this.RULE("answerMember", () => {
    this.ACTION(() => this.beginMember());
    this.OR({
      IGNORE_AMBIGUITIES: true,
      DEF: [
        {
          GATE: () => this.isName(1) && !this.#isMisspeltVerb(),
          ALT: () => this.SUBRULE(this.answerRule, { LABEL: "node" }),
        },
        { ALT: () => this.SUBRULE(this.empty) },
        {
          ALT: () => {
            this.ACTION(() => this.complain(aRule, answerWords));
            this.SUBRULE(this.unknown);
          },
        },
      ],
    });
  });

  /** A name in front of a field, and almost one of the words that may stand there. */
  #isMisspeltVerb(): boolean {
    if (this.isOneOf(1, verbs) || this.isOneOf(1, strengthWords) || !this.isName(2)) return false;
    return !this.is(2, word("for")) && !this.startsClause(2) && suggest(this.LA(1).image, answerWords) !== undefined;
  }

  /** `may status = BUSY for PLUG, UNPLUG if C;`, `echo response.fence_id = hdr.fence_id;`, `used exact;`. */
  protected readonly answerRule = this.RULE("answerRule", () => {
    this.OPTION({
      GATE: () => this.isOneOf(1, strengthWords) && this.isName(2),
      DEF: () =>
        this.OR([
          { ALT: () => this.CONSUME(word("may"), { LABEL: "strength" }) },
          { ALT: () => this.CONSUME(word("should"), { LABEL: "strength" }) },
        ]),
    });
    this.ACTION(() => {
      if (this.#isMisspeltVerb()) this.complain(aRule, answerWords);
    });
    this.OPTION1({
      // As the name of a field such a word is nothing special.
      GATE: () => this.isOneOf(1, verbs) && !this.is(2, Equals) && !this.is(2, Dot),
      DEF: () => this.OR1(answerWords.map((verb) => ({ ALT: () => this.CONSUME(word(verb), { LABEL: "verb" }) }))),
    });
    this.OPTION2({
      GATE: () => this.isName(1) && !this.is(1, word("for")) && !this.startsClause(1),
      DEF: () => this.SUBRULE(this.path),
    });
    this.OPTION3(() => {
      this.CONSUME(Equals);
      this.SUBRULE(this.expression, { ARGS: ["a value"] });
    });
    this.OPTION4(() => {
      this.CONSUME(word("for"));
      const missing = (): void => this.complain("the name of a kind of request");
      this.OR2([
        { GATE: () => this.isName(1), ALT: () => this.SUBRULE1(this.path, { LABEL: "kinds" }) },
        { ALT: () => this.ACTION(missing) },
      ]);
      this.MANY(() => {
        this.CONSUME(Comma);
        this.OR3([
          { GATE: () => this.isName(1), ALT: () => this.SUBRULE2(this.path, { LABEL: "kinds" }) },
          { ALT: () => this.ACTION(missing) },
        ]);
      });
    });
    this.SUBRULE(this.clauses);
    this.endMember("`;` after the rule", clauseWords);
  });
}
