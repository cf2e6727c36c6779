import { compileBaseline, type Baseline } from "./baseline.js";
import { createPair, run, type Format, type Pair } from "./one-thread.js";
import { execFileSync } from "node:child_process";

/** One line of the result, and of the array that `--json` prints. */
interface Result {
  readonly name: string;
  readonly nsPerItem: number;
  /** Null without a C compiler. */
  readonly baselineNsPerItem: number | null;
  readonly ratio: number | null;
  /** Heap bytes allocated for each item. */
  readonly bytesPerItem: number;
}

const usage = `Usage: npm run bench:ring [-- --json] [-- --items N]

Nanoseconds of processor time to send one buffer through a virtqueue and back, driver and device in one thread,
against the same algorithm in C (baseline-split.c, baseline-packed.c). Median of interleaved runs; each line is
measured in a process of its own, as a program has its queues of one format.

  --json      print an array of results
  --items N   items a run (default 2000000)
  --only NAME one line of the table, as JSON
`;

const runs = 7;

function parseArguments(words: readonly string[]): { json: boolean; items: number; only: string | undefined } {
  let only: string | undefined;
  let json = false;
  let items = 2_000_000;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    if (word === "--json") json = true;
    else if (word === "--items") items = Number(words[++index]);
    else if (word === "--only") only = words[++index];
    else fail(word === "--help" ? 0 : 2);
  }
  if (!Number.isInteger(items) || items < 1000) fail(2);
  return { json, items, only };
}

/** One line of the table. */
interface Case {
  readonly name: string;
  readonly format: Format;
  readonly batch: number;
  readonly size: number;
}

const cases: readonly Case[] = (["split", "packed"] as const).flatMap((format) => [
  { name: `${format}/one-thread/batch-1`, format, batch: 1, size: 256 },
  { name: `${format}/one-thread/batch-32`, format, batch: 32, size: 256 },
  { name: `${format}/one-thread/batch-32/size-64`, format, batch: 32, size: 64 },
  { name: `${format}/one-thread/batch-32/size-32768`, format, batch: 32, size: 32768 },
]);

function fail(code: number): never {
  (code === 0 ? process.stdout : process.stderr).write(usage);
  process.exit(code);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** Processor time, as in the baseline: what else the machine does should not count. */
function time(pair: Pair, batch: number, items: number): number {
  const start = process.cpuUsage();
  const sum = run(pair, batch, items);
  const { user, system } = process.cpuUsage(start);
  if (sum === 0) throw new Error("no byte went through");
  return ((user + system) * 1000) / items;
}

/**
 * Growth of the heap while nothing is collected: an item that allocated even the smallest object would show as 16 bytes
 * or more. What the measurement itself leaves behind differs from run to run, so the least of several is taken.
 */
function allocation(pair: Pair, batch: number): number {
  const items = 2_560_000;
  const growth: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    run(pair, batch, items);
    growth.push(process.memoryUsage().heapUsed - before);
  }
  return Math.max(0, Math.min(...growth)) / items;
}

function measure({ name, format, batch, size }: Case, items: number, baseline: Baseline | undefined): Result {
  const pair = createPair(format, size);
  const whole = Math.ceil(items / batch) * batch;
  run(pair, batch, whole);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let count = 0; count < runs; count++) {
    ours.push(time(pair, batch, whole));
    if (baseline !== undefined) theirs.push(baseline.run(batch, whole * 4));
  }
  const { ofDevice, ofDriver } = pair.notifications;
  if (ofDevice === 0 || ofDriver === 0) throw new Error("nobody was notified");
  const nsPerItem = median(ours);
  const baselineNsPerItem = baseline === undefined ? null : median(theirs);
  return {
    name,
    nsPerItem,
    baselineNsPerItem,
    ratio: baselineNsPerItem === null ? null : nsPerItem / baselineNsPerItem,
    bytesPerItem: allocation(pair, batch),
  };
}

function print(results: readonly Result[]): void {
  const row = (cells: readonly string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(28) : cell.padStart(12))).join(""));
  const number = (value: number | null, digits: number) => (value === null ? "-" : value.toFixed(digits));
  row(["", "ns/item", "C ns/item", "ratio", "bytes/item"]);
  for (const { name, nsPerItem, baselineNsPerItem, ratio, bytesPerItem } of results) {
    row([name, number(nsPerItem, 1), number(baselineNsPerItem, 1), number(ratio, 2), number(bytesPerItem, 2)]);
  }
}

const { json, items, only } = parseArguments(process.argv.slice(2));
const wanted = cases.find(({ name }) => name === only);
if (wanted === undefined) {
  const results = cases.map(({ name }): Result => {
    const words = [...process.execArgv, process.argv[1] ?? "", "--items", String(items), "--only", name];
    return JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as Result;
  });
  if (json) console.log(JSON.stringify(results, undefined, 2));
  else print(results);
} else {
  const baseline = compileBaseline(wanted.format);
  if (baseline === undefined) process.stderr.write("No C compiler (cc) here: there is no baseline to compare with.\n");
  try {
    console.log(JSON.stringify(measure(wanted, items, baseline)));
  } finally {
    baseline?.dispose();
  }
}
