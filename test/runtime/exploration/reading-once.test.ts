import { afterAll, describe, expect, test } from "vitest";
import type { RingFeatures } from "../../../src/runtime/ring/index.js";
import { Side } from "./memory-map.js";
import type { PeerWord } from "./peer-words.js";
import { OneSidedRun, type Lie, type Read } from "./one-sided-run.js";
import { RingBench } from "./ring-bench.js";

/**
 * Memory that lies: the peer changes a word between any two accesses of a side. What a side has read once it never reads
 * again, so that what was checked is what is used.
 */

/** A word that is read twice in one call, on purpose. */
interface Exception {
  readonly side: Side;
  readonly packed: boolean;
  readonly word: PeerWord;
  readonly reason: string;
}
const exceptions: readonly Exception[] = [
  {
    side: Side.device,
    packed: false,
    word: "avail.idx",
    reason: "a plain peek decides whether to ask for a notification; only the Atomics load after that is used",
  },
  {
    side: Side.device,
    packed: true,
    word: "descriptor flags and id",
    reason: "a plain peek decides whether to ask for a notification; only the Atomics load after that is used",
  },
  {
    side: Side.driver,
    packed: false,
    word: "used.idx",
    reason: "a plain peek finds most often that nothing is new; only the Atomics load after that is used",
  },
  {
    side: Side.driver,
    packed: true,
    word: "descriptor flags and id",
    reason: "a plain peek finds most often that nothing is new; only the Atomics load after that is used",
  },
];
const effective = new Set<Exception>();
const summary: string[] = [];
afterAll(() => console.log(`memory that lies:\n${summary.join("\n")}`));

const bench = new RingBench();
const flags = [false, true] as const;
const shapes = flags.flatMap((packed) =>
  flags.flatMap((eventIdx) =>
    flags.flatMap((inOrder) =>
      flags.flatMap((indirect) =>
        [Side.driver, Side.device].map((side) => {
          const features: RingFeatures = { packed, eventIdx, inOrder, indirect };
          const names = [
            packed ? "packed" : "split",
            eventIdx && "event_idx",
            inOrder && "in_order",
            indirect && "indirect",
          ];
          return {
            name: `${names.filter(Boolean).join(" ")}, ${side === Side.driver ? "driver" : "device"}`,
            side,
            features,
          };
        }),
      ),
    ),
  ),
);

/** What the peer puts in the place of a word that was read: each of these, as bits to change or as a new value. */
const poisons: readonly ((before: number) => number)[] = [
  () => 0,
  () => 0xff,
  (before) => before ^ 0x01,
  (before) => before ^ 0x80,
  (before) => before + 1,
];

function run(side: Side, features: RingFeatures, lie?: Lie): OneSidedRun {
  const one = new OneSidedRun(bench, side, features, lie);
  one.run();
  return one;
}

function exceptionFor(side: Side, features: RingFeatures, word: PeerWord): Exception | undefined {
  return exceptions.find((each) => each.side === side && each.packed === features.packed && each.word === word);
}

describe.each(shapes)("$name", ({ name, side, features }) => {
  test("each word is used from one read", () => {
    const { reads } = run(side, features);
    expect(reads.length).toBeGreaterThan(10);
    const seen = new Map<string, Read>();
    for (const read of reads) {
      for (let byte = read.at; byte < read.at + read.bytes; byte++) {
        const key = `${read.call} ${byte}`;
        const before = seen.get(key);
        seen.set(key, read);
        if (before === undefined) continue;
        const exception = exceptionFor(side, features, read.word);
        expect(exception, `${read.word} at ${byte} is read twice in ${read.callName}`).toBeDefined();
        // What was seen first may only have been a hint: it is plain, and what counts is read with Atomics.
        expect([before.atomic, read.atomic]).toEqual([false, true]);
        if (exception !== undefined) effective.add(exception);
      }
    }
  });

  test("a word that is changed after it was read changes nothing", () => {
    const honest = run(side, features);
    let lies = 0;
    honest.reads.forEach((read, index) => {
      // A hint may change before what counts is read: that is the next test's.
      const next = honest.reads.slice(index + 1).find(({ at, call }) => at === read.at && call === read.call);
      if (next !== undefined) return;
      for (const poison of poisons) {
        lies++;
        const lied = run(side, features, { after: index, poison, until: "end of call" });
        expect(lied.outcome, `${read.word} at ${read.at} changed after read ${index}`).toEqual(honest.outcome);
      }
    });
    summary.push(`  ${name}: ${honest.reads.length} reads, ${lies} lies`);
    expect(lies).toBeGreaterThan(honest.reads.length);
  });

  test("a word that is changed for good is a typed error at most, and nothing is written where it may not be", () => {
    const honest = run(side, features);
    const rules = new Set<string>();
    for (let index = 0; index < honest.reads.length; index++) {
      for (const poison of poisons) {
        const lied = run(side, features, { after: index, poison, until: "for good" });
        if (lied.error !== undefined) rules.add(lied.error.rule);
        expect(lied.error?.name ?? "RingError").toBe("RingError");
        expect(lied.trespasses).toEqual([]);
      }
    }
    // Otherwise nothing was lied about.
    expect(rules.size).toBeGreaterThan(0);
  });
});

test("each exception is needed", () => {
  expect(exceptions.filter((exception) => !effective.has(exception))).toEqual([]);
});
