import type { Cell } from "./cells.js";

/** Cells whose places are known from each other. */
export interface Run {
  /** What the places count from: the start, the end, or the end of the part of unknown length before. */
  readonly origin: "start" | "end" | "after";
  /** For `end`: bytes from the start of the run to the end of the stream. */
  readonly length: number;
  /** The run lies over bytes of an earlier one. */
  readonly instead: boolean;
  readonly cells: readonly PlacedCell[];
}
export interface PlacedCell {
  readonly cell: Cell;
  /** In bytes from the origin; for `end`, from the start of the run. */
  readonly at: number;
}

interface OpenRun extends Run {
  readonly cells: PlacedCell[];
  /** Where the next cell would be. */
  next: number;
  /** Whether that is known. */
  ended: boolean;
}

/** Cuts a layout into runs, in the order of the cells. */
export function runsOf(cells: readonly Cell[]): readonly Run[] {
  const runs: OpenRun[] = [];
  for (const cell of cells) {
    const run = runFor(cell, runs);
    const at = placeIn(run, cell);
    run.cells.push({ cell, at });
    run.next = at + (cell.size ?? 0);
    run.ended = cell.size === null || cell.moves;
  }
  return runs;
}

function runFor(cell: Cell, runs: OpenRun[]): OpenRun {
  const last = runs.at(-1);
  const origin = cell.start !== null ? "start" : cell.fromEnd !== null ? "end" : "after";
  const length = origin === "end" ? (cell.fromEnd ?? 0) : 0;
  const fits = last?.origin === origin && placeIn(last, cell) >= last.next && !(origin === "after" && last.ended);
  if (fits) return last;
  const instead = last?.origin === origin && origin !== "after";
  const run: OpenRun = { origin, length, instead, cells: [], next: 0, ended: false };
  runs.push(run);
  return run;
}

function placeIn(run: OpenRun, cell: Cell): number {
  switch (run.origin) {
    case "start":
      return cell.start ?? run.next;
    case "end":
      return run.length - (cell.fromEnd ?? run.length);
    case "after":
      return run.next;
  }
}
