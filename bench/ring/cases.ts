import { oneThread, type Format } from "./one-thread.js";
import type { Subject } from "./subject.js";
import { twoThreads } from "./two-threads.js";
import { bare, typed } from "./typed.js";

/** One line of the table. */
export interface Case {
  readonly name: string;
  readonly format: Format;
  readonly batch: number;
  /** Threads that share the work; their time is by the clock, that of one thread is processor time. */
  readonly threads: 1 | 2;
  open(): Subject;
  /** What it is compared with, if that is not the C program: the same buffers without what is measured. */
  readonly beside?: () => Subject;
}

const smallest = 64;
const usual = 256;

function casesOf(format: Format): Case[] {
  const one = (batch: number, name = "", size = usual, queues = 1): Case => ({
    name: `${format}/one-thread/batch-${String(batch)}${name}`,
    format,
    batch,
    threads: 1,
    open: () => oneThread(format, batch, size, queues),
  });
  return [
    one(1),
    one(32),
    one(32, "/size-64", smallest),
    one(32, "/size-32768", 32768),
    one(32, "/queues-1000", smallest, 1000),
    { name: `${format}/two-threads/batch-32`, format, batch: 32, threads: 2, open: () => twoThreads(format, 32) },
    {
      name: `${format}/typed/batch-32`,
      format,
      batch: 32,
      threads: 1,
      open: () => typed(format, 32),
      beside: () => bare(format, 32),
    },
  ];
}

export const cases: readonly Case[] = [...casesOf("split"), ...casesOf("packed")];
