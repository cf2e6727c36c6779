import { afterAll, describe, expect, test } from "vitest";
import type { DeviceQueue, DriverQueue } from "../../../../src/runtime/ring/index.js";
import type { Combination, Planted } from "./differential-run.js";
import { differential, DifferentialFailure, replay } from "./differential.js";

/**
 * Both sides against the simplest queue there is, in every combination of what shapes a ring: what arrives, what comes
 * back, what is free, who is notified. A failure prints its seed, and the shortest list of steps that still shows it.
 */
const flags = [false, true] as const;
const combinations = flags.flatMap((packed) =>
  flags.flatMap((eventIdx) =>
    flags.flatMap((inOrder) =>
      flags.map((indirect, index) => {
        const names = [
          packed ? "packed" : "split",
          eventIdx && "event_idx",
          inOrder && "in_order",
          indirect && "indirect",
        ];
        const seed = 1 + Number(packed) * 8 + Number(eventIdx) * 4 + Number(inOrder) * 2 + index;
        return { name: names.filter(Boolean).join(" "), features: { packed, eventIdx, inOrder, indirect }, seed };
      }),
    ),
  ),
);
const summary: string[] = [];
afterAll(() => console.log(`differential runs:\n${summary.join("\n")}`));

describe.each(combinations)("$name", ({ name, features, seed }) => {
  const { packed } = features;

  test("two million steps, over the wrap of the indexes", () => {
    const size = packed ? 37 : 32;
    const { through } = differential({ combination: { features, size, oneThread: false }, seed, steps: 2_000_000 });
    summary.push(`  ${name}: 2,000,000 steps, ${through} buffers through ${size} entries`);
    expect(through).toBeGreaterThan(0x1_0000);
  }, 120_000);

  test("without threads, and with very few entries", () => {
    for (const size of packed ? [1, 2, 3, 5] : [1, 2, 4]) {
      const combination: Combination = { features, size, oneThread: true };
      const { through } = differential({ combination, seed: seed + 100 * size, steps: 60_000 });
      expect(through).toBeGreaterThan(size * 50);
    }
  }, 60_000);
});

/** A queue that does one thing differently. */
function changed<Q extends object>(queue: Q, changes: Partial<Q>): Q {
  return new Proxy(queue, {
    get(target, name): unknown {
      const change: unknown = Reflect.get(changes, name);
      const value: unknown = change ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("what is wrong is found, and shrunk to its core", () => {
  const faults: readonly [string, Planted, most: number, RegExp][] = [
    [
      "a chain is handed back, but not used, while two others are held",
      {
        device: (queue: DeviceQueue) => {
          let held = 0;
          return changed(queue, {
            take: () => {
              const chain = queue.take();
              if (chain !== undefined) held++;
              return chain;
            },
            complete: (chain, written) => (--held >= 2 ? "completed" : queue.complete(chain, written)),
          });
        },
      },
      12,
      /^(poll\(\): -1|notifications of the driver, which asked: 0|enableNotifications\(\) of the driver: false), the model says/,
    ],
    [
      "a driver that does not see what is used around the wrap of the index",
      {
        driver: (queue: DriverQueue) =>
          changed(queue, { poll: () => (queue.position.used === 0xffff ? -1 : queue.poll()) }),
      },
      2500,
      /^poll\(\): -1, the model says \d/,
    ],
    [
      "a device that looks whether it should notify, and does not",
      { device: (queue: DeviceQueue) => changed(queue, { flush: () => queue.publish() }) },
      5,
      /notifications of the driver, which asked: 0, the model says 1/,
    ],
  ];
  test.each(faults)(
    "%s",
    (_, planted, most, says) => {
      const combination = {
        features: { packed: false, eventIdx: true, inOrder: false, indirect: false },
        size: 32,
        oneThread: false,
      };
      let failure: unknown;
      try {
        differential({ combination, seed: 77, steps: 2_000_000, planted });
      } catch (error) {
        failure = error;
      }
      if (!(failure instanceof DifferentialFailure)) throw new Error(`not found: ${String(failure)}`);
      expect(failure.message).toMatch(says);
      expect(failure.message).toMatch(/seed 77, step \d+; shrunk from \d+ steps/);
      expect(failure.steps.length).toBeLessThanOrEqual(most);
      // The same list shows nothing where nothing is wrong.
      expect(replay(combination, undefined, failure.steps)).toBeUndefined();
    },
    120_000,
  );
});
