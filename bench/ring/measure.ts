import type { Baseline } from "./baseline.js";
import type { Case } from "./cases.js";
import type { Subject } from "./subject.js";

/** One line of the result, and of the array that `--json` prints. */
export interface Result {
  readonly name: string;
  readonly nsPerItem: number;
  /** Null without a C compiler. */
  readonly baselineNsPerItem: number | null;
  readonly ratio: number | null;
  /** Heap bytes allocated for each item, in all threads. */
  readonly bytesPerItem: number;
}

const runs = 7;
const itemsForAllocation = 10_000_000;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** Nanoseconds. Of one thread it is processor time, as in the baseline: what else the machine does should not count. */
async function time(subject: Subject, items: number, threads: 1 | 2): Promise<number> {
  if (threads === 2) {
    const start = performance.now();
    await subject.run(items);
    return ((performance.now() - start) * 1e6) / items;
  }
  const start = process.cpuUsage();
  await subject.run(items);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / items;
}

/** Growth of the heap. The program runs with a young generation so large that nothing is collected meanwhile. */
async function growth(work: () => void | Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await work();
  return process.memoryUsage().heapUsed - before;
}

/** What the measurement itself leaves behind differs from run to run, so the least of some is taken. */
async function allocation(subject: Subject, batch: number): Promise<number> {
  // An item that allocated the smallest object would show as 16 bytes; see that it would.
  const kept: { value: number }[] = [{ value: 0 }];
  const seen = await growth(() => {
    for (let value = 0; value < 1_000_000; value++) kept[0] = { value };
  });
  if (seen < 12_000_000 || kept.length !== 1) throw new Error("allocations are not seen: run it by npm run bench:ring");

  const items = Math.ceil(itemsForAllocation / batch) * batch;
  const all: number[] = [];
  for (let attempt = 0; attempt < 2; attempt++) {
    const own = await growth(() => subject.run(items));
    all.push(Math.max(0, own) + (subject.otherThreads?.() ?? 0));
  }
  return Math.min(...all) / items;
}

/** Median of interleaved runs of one line and of what it is compared with. */
export async function measure(line: Case, items: number, baseline: Baseline | undefined): Promise<Result> {
  const { batch, threads } = line;
  const whole = Math.ceil(items / batch) * batch;
  const subject = line.open();
  const beside = line.beside?.();
  const other = async (): Promise<number | undefined> =>
    beside === undefined
      ? baseline?.run(batch, threads === 1 ? whole * 4 : whole, threads)
      : await time(beside, whole, threads);
  await subject.run(whole);
  await beside?.run(whole);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let count = 0; count < runs; count++) {
    ours.push(await time(subject, whole, threads));
    const compared = await other();
    if (compared !== undefined) theirs.push(compared);
  }
  const bytesPerItem = await allocation(subject, batch);
  subject.check();
  await subject.end();
  const nsPerItem = median(ours);
  const baselineNsPerItem = theirs.length === 0 ? null : median(theirs);
  const ratio = baselineNsPerItem === null ? null : nsPerItem / baselineNsPerItem;
  return { name: line.name, nsPerItem, baselineNsPerItem, ratio, bytesPerItem };
}
