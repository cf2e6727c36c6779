import { CstParser, EOF, type IToken, type TokenType } from "chevrotain";
import { FirstTokenLookahead } from "./lookahead.js";
import { maximumComplaints } from "./limits.js";
import { AnyToken, Arrow, EndOfDefine, LeftBrace, lexerModes, RightBrace, Semicolon } from "./tokens.js";

/** Something that the grammar asked for and did not find. */
export interface Complaint {
  /** What should have been there, ready for a message: "`;` after the field". */
  readonly expected: string;
  readonly found: IToken;
  /** The token in front of it. */
  readonly previous: IToken | undefined;
  /** Words that `found` may be a misspelling of. */
  readonly candidates: readonly string[];
  /** Where the declaration, field, part ... starts that the complaint is about. */
  readonly memberStart: number;
}

/** Chevrotain's numbered methods (`OPTION1`) go up to 9; `take` numbers its places from here. */
const ownIndexes = 20;
/** How far the grammar looks ahead for a `{` that belongs to a damaged head. */
const headLength = 48;

/**
 * What all rules share. The grammar takes more than the language allows: wherever a token must stand, it is taken if it
 * is there and complained about if it is not, and then the rule goes on. So a mistake costs the declaration that it is
 * in at most, and Chevrotain's own recovery is only a last resort.
 */
export abstract class GrammarBase extends CstParser {
  /** What was found missing in this run. */
  complaints: Complaint[] = [];
  /** After a complaint, the rest of the member is read without further ones. */
  #isDamaged = false;
  /** How far the member is indented; its continuation lines are indented deeper. */
  #memberColumn = Infinity;
  #memberStart = 0;
  /** Between `<` and `>`, where a `>` ends the expression; in parentheses it does not. */
  protected inAngle = false;

  constructor(validate: boolean) {
    super(lexerModes, {
      recoveryEnabled: true,
      nodeLocationTracking: "onlyOffset",
      maxLookahead: 1,
      lookaheadStrategy: new FirstTokenLookahead(),
      skipValidations: !validate,
    });
  }

  /** Gets ready for another file. */
  begin(tokens: readonly IToken[]): void {
    this.complaints = [];
    this.beginMember();
    this.input = [...tokens];
  }

  protected override canTokenTypeBeInsertedInRecovery(): boolean {
    return false;
  }

  // ---- looking ahead ----

  /** Whether the token at `distance` has exactly this type. */
  protected is(distance: number, type: TokenType): boolean {
    return this.LA(distance).tokenType === type;
  }

  /** Whether the token at `distance` has one of these types. */
  protected isOneOf(distance: number, types: ReadonlySet<TokenType>): boolean {
    return types.has(this.LA(distance).tokenType);
  }

  /** Whether a token follows the one before it without a gap. */
  protected isAdjacent(distance: number): boolean {
    const previous = this.LA(distance - 1);
    return previous.startOffset + previous.image.length === this.LA(distance).startOffset;
  }

  /** Whether a token begins a line. */
  protected isFirstOfLine(distance: number): boolean {
    const line = this.LA(distance).startLine;
    return line === undefined || line !== this.LA(distance - 1).endLine;
  }

  // ---- taking tokens ----

  /** Takes a token if it is there. `index` tells the places of one rule apart. */
  protected take(index: number, type: TokenType, label?: string): IToken | undefined {
    const occurrence = index + ownIndexes;
    const options = label === undefined ? {} : { LABEL: label };
    return this.option(occurrence, { DEF: () => this.consume(occurrence, type, options) });
  }

  /** Takes a token, or complains. */
  protected expect(index: number, type: TokenType, expected: string, label?: string): void {
    const found = this.take(index, type, label);
    this.ACTION(() => {
      if (found === undefined) this.complain(expected);
    });
  }

  /** Says that a new declaration, field, part ... begins here, whatever was wrong with the one before. */
  protected beginMember(): void {
    this.#isDamaged = false;
    this.inAngle = false;
    this.#memberStart = this.LA(1).startOffset;
    this.#memberColumn = this.isFirstOfLine(1) ? (this.LA(1).startColumn ?? Infinity) : Infinity;
  }

  /** Notes that something else should be at this place; a member is complained about once. */
  protected complain(expected: string, candidates: readonly string[] = []): void {
    if (this.#isDamaged) return;
    this.#isDamaged = true;
    if (this.complaints.length === maximumComplaints) return;
    const previous = this.LA(0);
    this.complaints.push({
      expected,
      found: this.LA(1),
      previous: previous.tokenType === EOF ? undefined : previous,
      candidates,
      memberStart: this.#memberStart,
    });
  }

  /** Semicolons that end nothing, as C has them; a run of them is one member. */
  protected readonly empty = this.RULE("empty", () => {
    this.CONSUME(Semicolon);
    this.MANY(() => this.CONSUME1(Semicolon));
  });

  // ---- going on after a mistake ----

  #depth = 0;

  /** Skips the rest of a damaged member: through `;`, or up to the end of the line or of the block. */
  protected readonly restOfMember = this.RULE("restOfMember", () => {
    this.ACTION(() => (this.#depth = 0));
    this.MANY({
      GATE: () => this.#skipsMember(),
      DEF: () => this.CONSUME(AnyToken),
    });
    this.take(1, Semicolon);
  });

  /** Skips everything up to a `{` or `=>` that is near. */
  protected readonly restOfHead = this.RULE("restOfHead", () => {
    this.MANY({
      GATE: () => !this.is(1, LeftBrace) && !this.is(1, Arrow),
      DEF: () => this.CONSUME(AnyToken),
    });
  });

  /** Skips something that cannot be the start of anything, with the block that follows it. */
  protected readonly unknown = this.RULE("unknown", () => {
    this.ACTION(() => (this.#depth = this.is(1, LeftBrace) ? 1 : 0));
    this.CONSUME(AnyToken);
    this.MANY({
      GATE: () => this.#skipsMember() || (this.is(1, LeftBrace) && this.#enters()),
      DEF: () => this.CONSUME1(AnyToken),
    });
    this.take(1, Semicolon);
  });

  #enters(): boolean {
    this.#depth++;
    return true;
  }

  #skipsMember(): boolean {
    const next = this.LA(1).tokenType;
    if (next === EOF) return false;
    if (this.#depth > 0) {
      if (next === LeftBrace) this.#depth++;
      else if (next === RightBrace) this.#depth--;
      return true;
    }
    if (next === Semicolon || next === RightBrace || next === LeftBrace || next === EndOfDefine) return false;
    return !this.isFirstOfLine(1) || (this.LA(1).startColumn ?? 0) > this.#memberColumn;
  }

  /** Whether a token of this type follows before anything that ends a member. */
  protected isNear(type: TokenType): boolean {
    for (let distance = 1; distance <= headLength; distance++) {
      const next = this.LA(distance).tokenType;
      if (next === type) return true;
      if (next === Semicolon || next === LeftBrace || next === RightBrace || next === EOF) return false;
    }
    return false;
  }

  /** Whether a `{` follows on this line before anything that ends a member. */
  protected braceIsOnLine(start = 1): boolean {
    for (let distance = start; distance <= headLength; distance++) {
      const next = this.LA(distance).tokenType;
      if (distance > 1 && this.isFirstOfLine(distance)) return false;
      if (next === LeftBrace) return true;
      if (next === Semicolon || next === RightBrace || next === EOF) return false;
    }
    return false;
  }

  /** Ends a member with `;`. What stands in its way is skipped. */
  protected endMember(expected: string, candidates: readonly string[] = []): void {
    const semicolon = this.take(9, Semicolon);
    this.OPTION8({
      GATE: () => {
        if (semicolon !== undefined) return false;
        this.complain(expected, candidates);
        return this.#skipsFromHere();
      },
      DEF: () => this.SUBRULE9(this.restOfMember),
    });
  }

  #skipsFromHere(): boolean {
    this.#depth = 0;
    return this.#skipsMember();
  }

  /** The `{` that ends a head; `undefined` if there is none, and then the rest of the line has been skipped. */
  protected openBlock(expected: string, candidates: readonly string[] = []): IToken | undefined {
    this.OPTION7({
      GATE: () => {
        if (this.is(1, LeftBrace)) return false;
        this.complain(expected, candidates);
        return this.isNear(LeftBrace) || (this.is(1, Semicolon) && this.braceIsOnLine(2));
      },
      DEF: () => this.SUBRULE8(this.restOfHead),
    });
    const brace = this.take(9, LeftBrace);
    this.OPTION6({
      GATE: () => brace === undefined && this.#skipsFromHere(),
      DEF: () => this.SUBRULE7(this.restOfMember),
    });
    return brace;
  }
}
