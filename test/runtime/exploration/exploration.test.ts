import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { RingError } from "../../../src/runtime/ring/index.js";
import { cases } from "./cases.js";
import { ExplorationFailure, explore, type Run } from "./explorer.js";
import * as mutate from "./mutations.js";
import { Side } from "./memory-map.js";
import { RingBench } from "./ring-bench.js";
import { RingRun, type Mutation } from "./ring-run.js";
import type { Scenario } from "./ring-scenario.js";
import { sampleWeakly } from "./weak-memory.js";

/**
 * Driver and device as they are in src/runtime/ring, run in single accesses to memory. All interleavings of small cases:
 * each buffer arrives once, in turn and whole, comes back once with what was written, and nobody sleeps while there
 * is something to do.
 */
const bench = new RingBench();
const summary: string[] = [];
afterAll(() => console.log(`explored:\n${summary.join("\n")}`));

/** Why the runtime does not do this at all, if it does not. */
function refusal(scenario: Scenario): string | undefined {
  try {
    new RingRun(bench, scenario);
    return undefined;
  } catch (error) {
    if (error instanceof Error && error.name === RingError.name) return error.message;
    throw error;
  }
}

describe.each(cases)("$name", ({ name, scenario }) => {
  test("all interleavings", (context) => {
    const refused = refusal(scenario);
    if (refused !== undefined) {
      summary.push(`  NOT EXPLORED ${name}: ${refused}`);
      context.skip(refused);
    }
    const { states, runs, longest } = explore((telling) => new RingRun(bench, scenario, { telling }));
    summary.push(`  ${name}: ${states} states, ${runs} runs of up to ${longest} steps`);
    expect(runs).toBeGreaterThan(1);
  }, 120_000);

  test("weakly ordered memory", (context) => {
    const refused = refusal(scenario);
    if (refused !== undefined) context.skip(refused);
    const weak = { ...scenario, weak: true };
    sampleWeakly((telling) => new RingRun(bench, weak, { telling }), 500);
  }, 120_000);
});

/** What the exploration says to a scenario in which one side does something wrong. */
function faultOf(scenario: Scenario, mutation: () => Mutation, weak = false): string {
  const start = (telling: boolean) => new RingRun(bench, { ...scenario, weak }, { telling, mutation: mutation() });
  try {
    if (weak) sampleWeakly(start, 20_000);
    else explore(start);
  } catch (error) {
    if (error instanceof ExplorationFailure) return error.message;
    throw error;
  }
  return "no fault found";
}

describe.each([
  { format: "split", packed: false },
  { format: "packed", packed: true },
])("what is wrong in one side of a $format ring is found", ({ packed }) => {
  const scenario = (eventIdx: boolean): Scenario => ({
    features: { packed, eventIdx, inOrder: false, indirect: false },
    size: 2,
    buffers: 2,
    batch: 1,
    waiting: "notified",
    completing: "at once",
  });
  const sides = [
    ["driver", Side.driver],
    ["device", Side.device],
  ] as const;
  const schemes = [
    ["flags", false],
    ["event_idx", true],
  ] as const;
  const both = sides.flatMap(([who, side]) => schemes.map(([scheme, eventIdx]) => ({ who, side, scheme, eventIdx })));

  const wrong: readonly [string, (side: Side) => Mutation, RegExp][] = [
    ["looks, and then asks to be notified", mutate.looksBeforeAsking, /deadlock/],
    ["looks what was asked, and then publishes", mutate.looksBeforePublishing, /deadlock/],
    ["never asks", mutate.neverAsks, /deadlock/],
    ["publishes, and then writes the entries", mutate.publishesTooEarly, /^(?!no fault found)/],
  ];
  describe.each(both)("the $who, $scheme", ({ side, eventIdx }) => {
    const refused = refusal(scenario(eventIdx));
    beforeEach((context) => {
      if (refused !== undefined) context.skip(refused);
    });
    // Used entries out of order, so that what is written differs from what the driver has left in their place.
    const together = { size: 4, batch: 2, completing: "together" } as const;
    test.each(wrong)("%s", (_, mutation, says) => {
      // A packed device with event indexes is notified of everything until it asks for less: that is no fault.
      const harmless = packed && eventIdx && side === Side.device && mutation === mutate.neverAsks;
      const shape = mutation === mutate.publishesTooEarly ? together : {};
      const fault = faultOf({ ...scenario(eventIdx), ...shape }, () => mutation(side));
      expect(fault).toMatch(harmless ? /^no fault found$/ : says);
    });
    test("asks with a plain store, on weakly ordered memory", () => {
      expect(faultOf(scenario(eventIdx), () => mutate.storesPlainly(side, "asking"), true)).toMatch(/deadlock/);
    });
    test("publishes with a plain store, on weakly ordered memory", () => {
      const fault = faultOf(scenario(eventIdx), () => mutate.storesPlainly(side, "ring"), true);
      expect(fault).not.toBe("no fault found");
    });
  });
});

describe("the explorer", () => {
  /** Two sides that each add 1 to a word, in two steps: read, then write. */
  class Counter implements Run {
    readonly story: string[] = [];
    readonly #at = [0, 0];
    readonly #read = [0, 0];
    #value = 0;
    get enabled(): number {
      return Number((this.#at[0] ?? 0) < 2) | (Number((this.#at[1] ?? 0) < 2) << 1);
    }
    step(side: 0 | 1): readonly number[] {
      const at = this.#at[side] ?? 0;
      this.#at[side] = at + 1;
      if (at === 0) this.#read[side] = this.#value;
      else this.#value = (this.#read[side] ?? 0) + 1;
      return [at];
    }
    key(): number {
      return [...this.#at, ...this.#read, this.#value].reduce((key, part) => key * 4 + part, 1);
    }
    end(): void {
      if (this.#value !== 2) throw new Error(`an addition is lost: ${this.#value}`);
    }
  }

  test("finds the lost addition", () => {
    expect(() => explore(() => new Counter())).toThrow("an addition is lost: 1");
  });
});
