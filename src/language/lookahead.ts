import {
  Alternation,
  Alternative,
  NonTerminal,
  Option,
  Repetition,
  Terminal,
  type BaseParser,
  type ILookaheadStrategy,
  type IProduction,
  type OrMethodOpts,
  type Rule,
  type TokenType,
} from "chevrotain";

type Alternatives = NonNullable<OrMethodOpts<unknown>["DEF"]>;

/** What a piece of the grammar can begin with. */
interface First {
  /** `tokenTypeIdx` of every token that can come first, members of categories included. */
  readonly tokens: ReadonlySet<number>;
  /** Whether it can be empty. */
  readonly nullable: boolean;
}

/**
 * Decides by the next token alone, as gates do the rest. Chevrotain's own strategy enumerates paths, which takes
 * exponential time for a grammar like this one, where almost everything may be missing. An alternative that can be empty
 * always matches, so it has to come last.
 */
export class FirstTokenLookahead implements ILookaheadStrategy {
  readonly #ofRule = new Map<Rule, First>();
  readonly #inProgress = new Set<Rule>();

  validate(): [] {
    return [];
  }

  buildLookaheadForAlternation(options: {
    prodOccurrence: number;
    rule: Rule;
  }): (this: BaseParser, alternatives?: Alternatives) => number | undefined {
    const choice = findProduction(options.rule.definition, Alternation, options.prodOccurrence);
    const firsts = choice.definition.map((alternative) => this.#first(alternative));
    const tables = firsts.map((first) => (first.nullable ? undefined : table(first.tokens)));
    return function (alternatives) {
      const next = this.LA(1).tokenTypeIdx;
      for (let index = 0; index < tables.length; index++) {
        const candidates = tables[index];
        if (candidates !== undefined && candidates[next] !== 1) continue;
        const gate = alternatives?.[index]?.GATE;
        if (gate === undefined || gate.call(this)) return index;
      }
      return undefined;
    };
  }

  buildLookaheadForOptional(options: {
    prodOccurrence: number;
    prodType: string;
    rule: Rule;
  }): (this: BaseParser) => boolean {
    const type = options.prodType === "Option" ? Option : Repetition;
    const production = findProduction(options.rule.definition, type, options.prodOccurrence);
    const first = this.#sequence(production.definition);
    if (first.nullable) return () => true;
    const candidates = table(first.tokens);
    return function () {
      return candidates[this.LA(1).tokenTypeIdx] === 1;
    };
  }

  #first(production: IProduction): First {
    if (production instanceof Terminal) return { tokens: matching(production.terminalType), nullable: false };
    if (production instanceof NonTerminal) return this.#rule(production.referencedRule);
    if (production instanceof Alternation) {
      const firsts = production.definition.map((alternative) => this.#first(alternative));
      return {
        tokens: new Set(firsts.flatMap((first) => [...first.tokens])),
        nullable: firsts.some((first) => first.nullable),
      };
    }
    if (production instanceof Alternative) return this.#sequence(production.definition);
    if (production instanceof Option || production instanceof Repetition) {
      return { tokens: this.#sequence(production.definition).tokens, nullable: true };
    }
    throw new Error("the grammar uses a kind of production that this strategy does not know");
  }

  #sequence(definition: readonly IProduction[]): First {
    const tokens = new Set<number>();
    for (const production of definition) {
      const first = this.#first(production);
      for (const token of first.tokens) tokens.add(token);
      if (!first.nullable) return { tokens, nullable: false };
    }
    return { tokens, nullable: true };
  }

  #rule(rule: Rule): First {
    const known = this.#ofRule.get(rule);
    if (known !== undefined) return known;
    if (this.#inProgress.has(rule)) throw new Error(`rule ${rule.name} can begin with itself`);
    this.#inProgress.add(rule);
    const first = this.#sequence(rule.definition);
    this.#inProgress.delete(rule);
    this.#ofRule.set(rule, first);
    return first;
  }
}

function matching(type: TokenType): ReadonlySet<number> {
  return new Set([...(type.tokenTypeIdx === undefined ? [] : [type.tokenTypeIdx]), ...(type.categoryMatches ?? [])]);
}

function table(tokens: ReadonlySet<number>): Uint8Array {
  const result = new Uint8Array(Math.max(0, ...tokens) + 1);
  for (const token of tokens) result[token] = 1;
  return result;
}

type Numbered = Alternation | Option | Repetition;

/** The production of a type that has this number in its rule. */
function findProduction<Found extends Numbered>(
  definition: readonly IProduction[],
  type: new (options: never) => Found,
  occurrence: number,
): Found {
  const pending = [...definition];
  for (let production = pending.pop(); production !== undefined; production = pending.pop()) {
    if (production instanceof type && production.idx === occurrence) return production;
    if (production instanceof NonTerminal) continue;
    if (
      production instanceof Alternation ||
      production instanceof Alternative ||
      production instanceof Option ||
      production instanceof Repetition
    ) {
      pending.push(...production.definition);
    }
  }
  throw new Error(`no production ${String(occurrence)} in its rule`);
}
