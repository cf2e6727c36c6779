/**
 * Processor time of generated code to decode and encode, against code that was written by hand for the same layouts
 * (by-hand.ts). Interleaved rounds, and the median over them. Generated code should be within 10 %.
 *
 *   npm run bench:generated -- [--json] [--rounds 41] [--items 100000]
 */
import { parseArgs } from "node:util";
import type { Case } from "./case.js";
import { requestCases } from "./request-cases.js";
import { structCases } from "./struct-cases.js";

interface Result {
  readonly name: string;
  readonly nsPerItem: number;
  readonly baselineNsPerItem: number;
  /** Median of the ratios of one round each. */
  readonly ratio: number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/**
 * Nanoseconds of processor time for each item: what else the machine does should not count. Nothing asks for a garbage
 * collection: one between the rounds throws away optimized code, and then it is the compiler that is measured.
 */
function time(work: (rounds: number) => number, rounds: number, items: number): number {
  const start = process.cpuUsage();
  work(rounds);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / (rounds * items);
}

function check({ name, generated, byHand }: Case): void {
  const sums = [generated(1), byHand(1)];
  if (sums[0] !== sums[1]) throw new Error(`${name}: not the same work, ${sums.join(" and ")}`);
}

function measure(one: Case, rounds: number, items: number): Result {
  const { name, generated, byHand } = one;
  check(one);
  const calls = Math.ceil(items / one.items);
  // Until both are optimized.
  for (let k = 0; k < 5; k++) {
    time(generated, calls, one.items);
    time(byHand, calls, one.items);
  }
  const pairs = Array.from({ length: rounds }, (_, k) => {
    // Who goes first alternates.
    const early = k % 2 === 0 ? time(generated, calls, one.items) : undefined;
    const baseline = time(byHand, calls, one.items);
    return { ours: early ?? time(generated, calls, one.items), baseline };
  });
  return {
    name,
    nsPerItem: median(pairs.map(({ ours }) => ours)),
    baselineNsPerItem: median(pairs.map(({ baseline }) => baseline)),
    ratio: median(pairs.map(({ ours, baseline }) => ours / baseline)),
  };
}

function print(results: readonly Result[]): void {
  const row = (cells: readonly string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(40) : cell.padStart(16))).join(""));
  row(["", "ns/item", "by hand ns/item", "ratio"]);
  for (const { name, nsPerItem, baselineNsPerItem, ratio } of results) {
    row([name, nsPerItem.toFixed(1), baselineNsPerItem.toFixed(1), ratio.toFixed(2)]);
  }
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "41" },
    items: { type: "string", default: "100000" },
  },
});
const rounds = Number(values.rounds);
const items = Number(values.items);
if (!(Number.isInteger(rounds) && rounds > 0 && Number.isInteger(items) && items > 0)) {
  process.stderr.write("--rounds and --items take a whole number from 1 on\n");
  process.exit(2);
}
const results = [...structCases, ...requestCases].map((one) => measure(one, rounds, items));
if (values.json) console.log(JSON.stringify(results, undefined, 2));
else print(results);
