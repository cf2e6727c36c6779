import { conditionText } from "../byte-map/cell-text.js";
import type { Cell } from "../byte-map/cells.js";
import { rowsOf, type BytesRow, type Piece, type Row } from "../byte-map/rows.js";
import { html, type Html } from "./html.js";
import { noteFitting, svgCellText, type Room } from "./svg-cell-text.js";

/** Bytes in a row: with four, names have room even on a phone. */
const COLUMNS = 4;
const BYTE = 108;
const LEFT = 52;
const TOP = 18;
const WIDTH = LEFT + COLUMNS * BYTE + 8;
const ROW = 38;
const GAP = 24;

/** What a box says about its field. */
export interface CellFacts {
  /** Where the field is described. */
  readonly href: string;
  readonly type: string;
  /** All of it, for those who point at the box. */
  readonly title: string;
}

interface PlacedRow {
  readonly row: Row;
  readonly top: number;
  readonly height: number;
}

/** A byte map as SVG: offsets at the left, a box a field, a link and a title on each. */
export function svgMap(label: string, cells: readonly Cell[], factsOf: (cell: Cell) => CellFacts): Html | undefined {
  const rows = placed(rowsOf(cells, COLUMNS));
  const last = rows.at(-1);
  if (!last) return undefined;
  const height = last.top + last.height + 2;
  const heads = Array.from(
    { length: COLUMNS },
    (_, byte) => html`<text class="head" x="${LEFT + (byte + 0.5) * BYTE}" y="12">+${byte}</text>`,
  );
  return html`<svg class="map" viewBox="0 0 ${WIDTH} ${height}" role="group" aria-label="${label}">
    ${heads} ${rows.map(rowFrame)}${cells.map((cell) => cellBoxes(cell, rows, factsOf(cell)))}
  </svg> `;
}

function placed(rows: readonly Row[]): readonly PlacedRow[] {
  let top = TOP;
  return rows.map((row) => {
    const height = row.kind === "bytes" ? ROW : GAP;
    top += height;
    return { row, top: top - height, height };
  });
}

function rowFrame({ row, top, height }: PlacedRow): Html {
  const middle = top + height / 2 + 4;
  switch (row.kind) {
    case "bytes":
      return html`<text class="offset" x="${LEFT - 8}" y="${middle}">${row.label}</text> `;
    case "gap":
      return html`<text class="gap" x="${LEFT + (COLUMNS * BYTE) / 2}" y="${middle}"
        >⋮ ${row.bytes} bytes ${row.cell ? "more" : "not used"} ⋮</text
      > `;
    case "instead":
      return html`<text class="gap" x="${LEFT + (COLUMNS * BYTE) / 2}" y="${middle}">or, over the same bytes</text> `;
  }
}

interface Box {
  readonly piece: Piece;
  readonly left: number;
  readonly right: number;
  readonly top: number;
}

function cellBoxes(cell: Cell, rows: readonly PlacedRow[], facts: CellFacts): Html | undefined {
  const boxes = rows.flatMap(({ row, top }) => (row.kind === "bytes" ? boxesOf(row, cell, top) : []));
  const [first] = boxes;
  if (!first) return undefined;
  const kinds = ["cell"];
  if (conditionText(cell) !== undefined) kinds.push("gated");
  if (cell.reserved) kinds.push("reserved");
  if (cell.volatile) kinds.push("volatile");
  if (cell.access !== "ro") kinds.push("writable");
  if (cell.size === null) kinds.push("open");
  const room = labelRoom(boxes, first);
  return html`<a href="${facts.href}" class="${kinds.join(" ")}"
    ><title>${facts.title}</title
    >${boxes.map(boxShape)}${svgCellText(cell, facts.type, room)}${boxes.map((box) => continuation(box, cell, room))}</a
  > `;
}

function boxesOf(row: BytesRow, cell: Cell, top: number): readonly Box[] {
  const own = row.pieces.filter((piece) => piece.cell === cell);
  return own.map((piece) => ({ piece, left: xOf(piece.from), right: xOf(piece.to), top }));
}

/** Says of the rest of a field what it is, where it goes on in another place than its name. */
function continuation({ left, right, top }: Box, cell: Cell, room: Room): Html | undefined {
  if (left < room.right && right > room.left) return undefined;
  const label = noteFitting([`… ${cell.field.specName}`, "…"], right - left);
  return html`<text class="note" x="${(left + right) / 2}" y="${top + ROW / 2 + 4}">${label}</text>`;
}

function xOf(byte: number): number {
  return LEFT + byte * BYTE;
}

/** The widest boxes over each other: there the text goes. */
function labelRoom(boxes: readonly Box[], first: Box): Room {
  const widthOf = ({ left, right }: Box): number => right - left;
  const widest = boxes.reduce((most, box) => (widthOf(box) > widthOf(most) ? box : most), first);
  const same = boxes.filter(({ left, right }) => left === widest.left && right === widest.right);
  const last = same.at(-1) ?? widest;
  // A gap in between is where the text of the gap is.
  const bottom = last.top - widest.top === (same.length - 1) * ROW ? last.top + ROW : widest.top + ROW;
  return { left: widest.left, right: widest.right, top: widest.top, bottom };
}

/** The area without lines, then the lines: none between rows of the same field. */
function boxShape({ piece, left, right, top }: Box): Html {
  const bottom = top + ROW;
  const lines = [
    `M${left} ${top}V${bottom}`,
    piece.open ? tornEdge(right, top) : `M${right} ${top}V${bottom}`,
    ...piece.above.map(({ from, to }) => `M${xOf(from)} ${top}H${xOf(to)}`),
    ...piece.below.map(({ from, to }) => `M${xOf(from)} ${bottom}H${xOf(to)}`),
  ];
  return html`<rect x="${left}" y="${top}" width="${right - left}" height="${ROW}" /><path d="${lines.join("")}" />`;
}

function tornEdge(x: number, top: number): string {
  const step = ROW / 6;
  const points = [1, 2, 3, 4, 5, 6].map(
    (n) => `L${x + (n % 2 === 1 ? 5 : 0)} ${Math.round((top + n * step) * 100) / 100}`,
  );
  return `M${x} ${top}${points.join("")}`;
}
