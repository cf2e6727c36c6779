import type { Cell } from "../byte-map/cells.js";
import { isApart, rowsOf, type BytesRow, type Piece, type Row } from "../byte-map/rows.js";
import { Grid } from "./grid.js";

/** Bytes in a row: four, as in the diagrams of RFCs, make 73 columns with the offsets before them. */
const COLUMNS = 4;
/** Two characters a bit, as there. */
const BYTE_WIDTH = 16;
const LEFT = 8;
const RIGHT = LEFT + COLUMNS * BYTE_WIDTH;

/** Draws cells as a byte map. `labelOf` gives the texts that could stand in a cell, the best first. */
export function drawMap(cells: readonly Cell[], labelOf: (cell: Cell) => readonly string[]): readonly string[] {
  const rows = rowsOf(cells, COLUMNS);
  if (rows.length === 0) return [];
  const grid = new Grid();
  for (let byte = 0; byte < COLUMNS; byte++) grid.write(0, LEFT + byte * BYTE_WIDTH + BYTE_WIDTH / 2, `+${byte}`);
  let line = 1;
  const places = new Map<Row, number>();
  for (const row of rows) {
    places.set(row, line);
    line += row.kind === "bytes" ? 2 : row.kind === "gap" ? 2 : 3;
  }
  for (const [row, at] of places) drawRow(grid, row, at);
  for (const cell of new Set(cells)) drawLabel(grid, cell, places, labelOf(cell));
  return grid.lines;
}

function drawRow(grid: Grid, row: Row, line: number): void {
  switch (row.kind) {
    case "bytes":
      grid.write(line + 1, 0, row.label);
      for (const piece of row.pieces) drawPiece(grid, piece, line);
      break;
    case "gap":
      if (row.cell) {
        for (const at of [line, line + 1]) {
          grid.write(at, LEFT, ":");
          grid.write(at, RIGHT, ":");
        }
      }
      centre(grid, line + 1, LEFT, RIGHT, `... ${row.bytes} bytes ${row.cell ? "more" : "not used"} ...`);
      break;
    case "instead":
      grid.write(line + 1, LEFT, "or, over the same bytes:");
      break;
  }
}

function drawPiece(grid: Grid, piece: Piece, line: number): void {
  const left = columnOf(piece.from);
  const right = columnOf(piece.to);
  for (const { from, to } of piece.above) edge(grid, line, columnOf(from), columnOf(to));
  for (const { from, to } of piece.below) edge(grid, line + 2, columnOf(from), columnOf(to));
  grid.write(line + 1, left, "|");
  grid.write(line + 1, right, piece.open ? "~" : "|");
  for (const corner of [left, right]) {
    if (grid.read(line, corner) === " ") grid.write(line, corner, "|");
  }
}

/** Corners of the rows above and below stay. */
function edge(grid: Grid, line: number, left: number, right: number): void {
  for (let column = left; column <= right; column++) {
    const isCorner = column === left || column === right || grid.read(line, column) === "+";
    grid.write(line, column, isCorner ? "+" : "-");
  }
}

/** The label goes to the widest of the cell's rows, and to the middle of them if several are as wide. */
function drawLabel(grid: Grid, cell: Cell, places: ReadonlyMap<Row, number>, labels: readonly string[]): void {
  const pieces = [...places].flatMap(([row, line]) =>
    row.kind === "bytes" ? piecesOf(row, cell).map((piece) => ({ piece, line })) : [],
  );
  const width = ({ piece }: { readonly piece: Piece }): number => piece.to - piece.from;
  const widest = pieces.reduce((most, piece) => Math.max(most, width(piece)), 0);
  const left = pieces.find((piece) => width(piece) === widest)?.piece.from;
  const wide = pieces.filter((piece) => width(piece) === widest && piece.piece.from === left);
  const [first, last] = [wide[0], wide.at(-1)];
  if (!first || !last) return;
  const together = last.line - first.line === (wide.length - 1) * 2;
  const line = (together ? (first.line + last.line) / 2 : first.line) + 1;
  const start = columnOf(first.piece.from);
  const end = columnOf(first.piece.to);
  centre(grid, line, start, end, fitting(labels, end - start - 1));
  for (const { piece, line: at } of pieces) {
    if (isApart(piece, first.piece)) drawRest(grid, at + 1, piece);
  }
}

function drawRest(grid: Grid, line: number, { cell, from, to }: Piece): void {
  const [left, right] = [columnOf(from), columnOf(to)];
  centre(grid, line, left, right, fitting([`... ${cell.field.specName}`, "..."], right - left - 1));
}

function piecesOf(row: BytesRow, cell: Cell): readonly Piece[] {
  return row.pieces.filter((piece) => piece.cell === cell);
}

function fitting(labels: readonly string[], room: number): string {
  return labels.find((label) => label.length <= room) ?? "";
}

function centre(grid: Grid, line: number, left: number, right: number, text: string): void {
  grid.write(line, left + Math.ceil((right - left + 1 - text.length) / 2), text);
}

function columnOf(byte: number): number {
  return LEFT + Math.round(byte * BYTE_WIDTH);
}
