import { conditionText } from "../byte-map/cell-text.js";
import type { Cell } from "../byte-map/cells.js";
import { html, type Html } from "./html.js";

export interface Room {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Width of a letter in a font of fixed width, for each unit of its size: a little more than any common one needs. */
const LETTER = 0.615;
const NAME_SIZE = 13;
const SMALLEST = 8.5;
const NOTE_SIZE = 10;

/** The name of a field, with its type and condition below, as far as there is room. */
export function svgCellText(cell: Cell, type: string, room: Room): Html | undefined {
  const width = room.right - room.left - 6;
  const x = (room.left + room.right) / 2;
  const middle = (room.top + room.bottom) / 2;
  const name = fitted(namesOf(cell), width);
  if (!name) return undefined;
  const note = noteFitting(notesOf(cell, type), width);
  const label = html`<text x="${x}" y="${note === undefined ? middle + 4 : middle - 1}" font-size="${name.size}"
    >${name.text}</text
  >`;
  return note === undefined
    ? label
    : html`${label}<text class="note" x="${x}" y="${middle + 13}" font-size="${NOTE_SIZE}">${note}</text>`;
}

/** The first text that has room in small letters. */
export function noteFitting(texts: readonly string[], width: number): string | undefined {
  return texts.find((text) => text.length * NOTE_SIZE * LETTER <= width);
}

function namesOf(cell: Cell): readonly string[] {
  const short = cell.name.slice(cell.name.lastIndexOf(".") + 1);
  return short === cell.name ? [cell.name] : [cell.name, `.${short}`];
}

/** From the most telling to the shortest. */
function notesOf(cell: Cell, type: string): readonly string[] {
  const marks = [cell.access === "ro" ? "" : cell.access, cell.volatile ? "volatile" : ""].filter(
    (mark) => mark !== "",
  );
  const condition = conditionText(cell);
  if (condition === undefined) return [[type, ...marks].join(" · "), type];
  const gate = `if ${condition}`;
  return [[type, ...marks, gate].join(" · "), [...marks, gate].join(" · "), gate, `${gate.slice(0, 17)}…`, "if …"];
}

function fitted(names: readonly string[], width: number): { readonly text: string; readonly size: number } | undefined {
  for (const text of names) {
    const size = Math.min(NAME_SIZE, Math.floor((width / (text.length * LETTER)) * 2) / 2);
    if (size >= SMALLEST) return { text, size };
  }
  const letters = Math.floor(width / (SMALLEST * LETTER));
  const last = names.at(-1) ?? "";
  return letters < 3 ? undefined : { text: `${last.slice(0, letters - 1)}…`, size: SMALLEST };
}
