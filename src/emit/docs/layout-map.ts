import type { FieldModel } from "../../model/device-model.js";
import { accessText, conditionText, placeText, sizeText } from "../byte-map/cell-text.js";
import { cellsOf, type Cell } from "../byte-map/cells.js";
import type { Html } from "./html.js";
import type { Links } from "./links.js";
import type { Page } from "./site.js";
import { svgMap } from "./svg-map.js";

/** The byte map of a layout. `anchors` are the ids of its fields. */
export function layoutMap(
  label: string,
  fields: readonly FieldModel[],
  anchors: readonly string[],
  page: Page,
  links: Links,
): Html | undefined {
  return svgMap(label, cellsOf(fields, page.scope), (cell) => {
    const type = links.typeText(cell.field);
    return { href: links.cell(cell, anchors), type, title: titleOf(cell, type) };
  });
}

/** What pointing at a box tells: a fact a line. */
function titleOf(cell: Cell, type: string): string {
  const { unit, doc } = cell.field;
  const size = cell.size === null ? "of variable size" : sizeWithUnit(sizeText(cell.size));
  const condition = conditionText(cell);
  const marks = [cell.reserved ? "reserved" : "", cell.volatile ? "volatile" : "", accessText(cell.access)];
  const lines = [
    `${cell.name}: ${type}`,
    `at ${placeText(cell)}, ${size}${unit === null ? "" : `, in ${unit}`}`,
    marks.filter((mark) => mark !== "").join(", "),
    condition === undefined ? "" : `if ${condition}`,
    doc.replace(/\s+/g, " "),
  ];
  return lines.filter((line) => line !== "").join("\n");
}

function sizeWithUnit(size: string): string {
  if (size.includes("bit")) return size;
  return size === "1" ? "1 byte" : `${size} bytes`;
}
