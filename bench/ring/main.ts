import { execFileSync } from "node:child_process";
import { compileBaseline } from "./baseline.js";
import { cases } from "./cases.js";
import { measure, type Result } from "./measure.js";

const usage = `Usage: npm run bench:ring [-- --json] [-- --items N] [-- --only NAME]

Nanoseconds to send one buffer through a virtqueue and back, against the same algorithm in C (baseline-split.c,
baseline-packed.c); of the typed layer, against the same buffers without it. Processor time, or with two threads time by
the clock. Median of interleaved runs; each line is measured in a process of its own, as a program has its queues of one
format.

  --json      print an array of results
  --items N   items a run (default 2000000)
  --only NAME one line of the table, as JSON
`;

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
  if (only !== undefined && !cases.some(({ name }) => name === only)) fail(2);
  return { json, items, only };
}

function fail(code: number): never {
  (code === 0 ? process.stdout : process.stderr).write(usage);
  process.exit(code);
}

function print(results: readonly Result[]): void {
  const row = (cells: readonly string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(36) : cell.padStart(12))).join(""));
  const number = (value: number | null, digits: number) => (value === null ? "-" : value.toFixed(digits));
  row(["", "ns/item", "compared", "ratio", "bytes/item"]);
  for (const { name, nsPerItem, baselineNsPerItem, ratio, bytesPerItem } of results) {
    row([name, number(nsPerItem, 1), number(baselineNsPerItem, 1), number(ratio, 2), number(bytesPerItem, 3)]);
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
    console.log(JSON.stringify(await measure(wanted, items, baseline)));
  } finally {
    baseline?.dispose();
  }
}
