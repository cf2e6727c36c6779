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
  /** Where its edges are: not where the same cell goes on in the next row or comes from the one before. */
  readonly above: readonly Span[];
  readonly below: readonly Span[];
  /** Rows of the cell follow. */
  readonly goesOn: boolean;
  /** Of unknown length. */
  readonly open: boolean;
}

/** Columns from one to another, in bytes. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Cells that take more rows than this are shortened. */
const MOST_ROWS = 5;

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
      if (piece.goesOn) long.set(row, piece.cell);
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
    const span = { from: at % columns, to: columns };
    return [{ row: firstRow, piece: { cell, ...span, above: [span], below: [span], goesOn: false, open: true } }];
  }
  if (cell.size === 0) return [];
  const end = at + cell.size;
  const lastRow = Math.ceil(end / columns) - 1;
  const isShortened = lastRow - firstRow >= MOST_ROWS;
  const drawn = isShortened
    ? [firstRow, lastRow]
    : Array.from({ length: lastRow - firstRow + 1 }, (_, i) => firstRow + i);
  const spanOf = (row: number): Span => ({
    from: Math.max(at - row * columns, 0),
    to: Math.min(end - row * columns, columns),
  });
  return drawn.map((row) => {
    const span = spanOf(row);
    const above = row === firstRow ? [span] : without(span, spanOf(row - 1));
    const below = row === lastRow ? [span] : without(span, spanOf(row + 1));
    return { row, piece: { cell, ...span, above, below, goesOn: row !== lastRow, open: false } };
  });
}

/** What is left of a span where the other one is not. */
function without(span: Span, other: Span): readonly Span[] {
  const parts = [
    { from: span.from, to: Math.min(span.to, other.from) },
    { from: Math.max(span.from, other.to), to: span.to },
  ];
  return parts.filter(({ from, to }) => from < to);
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

/** Of a short field that goes on in the next row, but not below where it began: without a word it would look like two. */
export function isApart(piece: Piece, labelled: Piece): boolean {
  return piece.from >= labelled.to || piece.to <= labelled.from;
}

/** A number as offsets are written: `0x1c`. */
export function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}
