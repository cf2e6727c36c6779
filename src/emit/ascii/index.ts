import type { FieldModel } from "../../model/device-model.js";
import { accessText, conditionText, placeText, sizeText } from "../byte-map/cell-text.js";
import { cellsOf, type Cell } from "../byte-map/cells.js";
import { typeText, type TypeScope } from "../byte-map/type-scope.js";
import { drawMap } from "./draw-map.js";
import { table } from "./table.js";
import { wrap } from "./wrap.js";

export { findLayouts, layoutNames, type Layout } from "./layouts.js";

const WIDTH = 80;

/** The byte map of some fields and a table of them, at most 80 columns wide. */
export function asciiByteMap(fields: readonly FieldModel[], scope: TypeScope): string {
  const cells = cellsOf(fields, scope);
  if (cells.length === 0) return "  (empty)\n";
  const conditions = [...new Set(cells.flatMap((cell) => conditionText(cell) ?? []))];
  const letters = lettersOf(cells);
  const mark = (cell: Cell): string => {
    const condition = conditionText(cell);
    return condition === undefined ? "" : `[${conditions.indexOf(condition) + 1}]`;
  };
  const map = drawMap(cells, (cell) => labelsOf(cell, mark(cell), letters.get(cell) ?? ""));
  const rows = cells.map((cell) => [
    letters.get(cell) ?? "",
    placeText(cell),
    sizeText(cell.size),
    cell.name,
    typeText(cell.field, scope),
    notesOf(cell, mark(cell)),
  ]);
  const list = table(["", "offset", "size", "name", "type", ""], rows, WIDTH);
  const legend = [
    ...(cells.some((cell) => cell.size === null) ? ["~    of a length that is not fixed"] : []),
    ...(map.some((line) => line.startsWith("-")) ? ["-0x  counts from the end"] : []),
    ...(map.some((line) => line.startsWith("+")) ? ["+0x  counts from the end of the part before"] : []),
    ...conditions.flatMap((condition, index) => wrap(condition, WIDTH, `[${index + 1}]`.padEnd(5) + "if ")),
  ];
  const parts = [map, list, legend].filter((lines) => lines.length > 0);
  return parts.map((lines) => `${lines.join("\n")}\n`).join("\n");
}

function notesOf(cell: Cell, mark: string): string {
  const notes = [mark, cell.reserved ? "reserved" : accessText(cell.access), cell.volatile ? "volatile" : ""];
  return notes.filter((note) => note !== "").join(" ");
}

/** A short name for each cell, for where nothing longer has room. */
function lettersOf(cells: readonly Cell[]): ReadonlyMap<Cell, string> {
  return new Map(cells.map((cell, index) => [cell, letter(index)]));
}

/** `a` to `z`, then `aa`, `ab` and so on. */
function letter(index: number): string {
  const last = String.fromCharCode("a".charCodeAt(0) + (index % 26));
  return index < 26 ? last : letter(Math.floor(index / 26) - 1) + last;
}

function labelsOf(cell: Cell, mark: string, key: string): readonly string[] {
  const short = cell.name.slice(cell.name.lastIndexOf(".") + 1);
  const names = short === cell.name ? [cell.name] : [cell.name, `.${short}`];
  const marked = mark === "" ? [] : [...names, key].map((name) => `${name} ${mark}`);
  // Without its mark a gated field would look as if it was always there: only the letter goes without.
  return mark === "" ? [...names, key] : [...marked, key];
}
