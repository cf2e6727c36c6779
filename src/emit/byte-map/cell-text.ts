import type { Access } from "../../model/device-model.js";
import type { Cell } from "./cells.js";
import { hex } from "./rows.js";

/** When a cell is there, as one condition; undefined if always. */
export function conditionText(cell: Cell): string | undefined {
  if (cell.conditions.length === 0) return undefined;
  const distinct = [...new Set(cell.conditions)];
  if (distinct.length === 1) return distinct[0];
  return distinct.map((condition) => (/[^\w.]/.test(condition) ? `(${condition})` : condition)).join(" && ");
}

/** Where a cell starts: `0x08`, `-0x01` counted from the end, `0x08 bits 3..7`, or `varies`. */
export function placeText(start: number | null, size: number | null, fromEnd: number | null, isBits: boolean): string {
  if (start === null) return fromEnd === null ? "varies" : `-${hex(fromEnd)}`;
  if (!isBits || size === null) return hex(start);
  const first = Math.round((start % 1) * 8);
  const last = first + Math.round(size * 8) - 1;
  return `${hex(Math.floor(start))} ${first === last ? `bit ${first}` : `bits ${first}..${last}`}`;
}

export function sizeText(size: number | null): string {
  if (size === null) return "varies";
  return Number.isInteger(size) ? String(size) : `${Math.round(size * 8)} bit${Math.round(size * 8) === 1 ? "" : "s"}`;
}

/** What a driver may do with a config field; empty where it may only read. */
export function accessText(access: Access): string {
  switch (access) {
    case "ro":
      return "";
    case "rw":
      return "read, write";
    case "wo":
      return "write only";
    case "w1c":
      return "write 1 to clear";
  }
}
