import type { Cell } from "./cells.js";
import { runsOf, type PlacedCell, type Run } from "./runs.js";

/** A byte map is drawn row by row. */
export type Row = BytesRow | GapRow | InsteadRow;
export interface BytesRow {
  readonly kind: "bytes";
  /** Where the row starts: `0x10`, `-0x1` from the end, `+0x0` after a part of unknown length. */
  readonly label: string;
  readonly pieces: readonly Piece[];
}
/** Rows that are left out: of one long cell, or of bytes that nothing uses. */
export interface GapRow {
  readonly kind: "gap";
  readonly cell: Cell | undefined;
  readonly bytes: number;
}
/** What follows lies over bytes that were drawn before. */
export interface InsteadRow {
  readonly kind: "instead";
}
/** The part of a cell that lies in one row. */
export interface Piece {
  readonly cell: Cell;
  /** Columns in bytes, with fractions for bit-fields. */
  readonly from: number;
  readonly to: number;
  readonly first: boolean;
  readonly last: boolean;
  /** Of unknown length. */
  readonly open: boolean;
}

/** Cells that take more rows than this are shortened. */
const MOST_ROWS = 4;

export function rowsOf(cells: readonly Cell[], columns: number): readonly Row[] {
  return runsOf(cells).flatMap((run): readonly Row[] => {
    const rows = rowsOfRun(run, columns);
    return run.instead && rows.length > 0 ? [{ kind: "instead" }, ...rows] : rows;
  });
}

function rowsOfRun(run: Run, columns: number): readonly Row[] {
  const pieces = new Map<number, Piece[]>();
  const long = new Map<number, Cell>();
  for (const placed of run.cells) {
    for (const { row, piece } of piecesOf(placed, columns)) {
      const known = pieces.get(row);
      if (known) known.push(piece);
      else pieces.set(row, [piece]);
      if (!piece.last && !piece.open) long.set(row, piece.cell);
    }
  }
  const rows: Row[] = [];
  let previous: number | undefined;
  for (const [row, inRow] of [...pieces].sort(([a], [b]) => a - b)) {
    if (previous !== undefined && row > previous + 1) {
      rows.push({ kind: "gap", cell: long.get(previous), bytes: (row - previous - 1) * columns });
    }
    rows.push({ kind: "bytes", label: labelOf(run, row * columns), pieces: inRow });
    previous = row;
  }
  return rows;
}

function piecesOf(
  { cell, at }: PlacedCell,
  columns: number,
): readonly { readonly row: number; readonly piece: Piece }[] {
  const firstRow = Math.floor(at / columns);
  if (cell.size === null) {
    return [{ row: firstRow, piece: { cell, from: at % columns, to: columns, first: true, last: true, open: true } }];
  }
  if (cell.size === 0) return [];
  const end = at + cell.size;
  const lastRow = Math.ceil(end / columns) - 1;
  const isShortened = lastRow - firstRow >= MOST_ROWS;
  const drawn = isShortened
    ? [firstRow, lastRow]
    : Array.from({ length: lastRow - firstRow + 1 }, (_, i) => firstRow + i);
  return drawn.map((row) => ({
    row,
    piece: {
      cell,
      from: Math.max(at - row * columns, 0),
      to: Math.min(end - row * columns, columns),
      first: row === firstRow,
      last: row === lastRow,
      open: false,
    },
  }));
}

function labelOf(run: Run, offset: number): string {
  switch (run.origin) {
    case "start":
      return hex(offset);
    case "end":
      return `-${hex(run.length - offset)}`;
    case "after":
      return `+${hex(offset)}`;
  }
}

/** A number as offsets are written: `0x1c`. */
export function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
