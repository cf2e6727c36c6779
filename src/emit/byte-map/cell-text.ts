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

/** Where a field is: `0x08`, `-0x01` counted from the end, `0x08 bits 3..7`, or `varies`. */
export function placeText({ offset, fromEnd, field }: Pick<Cell, "offset" | "fromEnd" | "field">): string {
  const place = offset !== null ? hex(offset) : fromEnd !== null ? `-${hex(fromEnd)}` : "varies";
  return field.bits ? `${place} ${bitsText(field.bits)}` : place;
}

function bitsText({ shift, width }: { readonly shift: number; readonly width: number }): string {
  return width === 1 ? `bit ${shift}` : `bits ${shift}..${shift + width - 1}`;
}

/** In bytes, or in bits where it is not whole bytes. */
export function sizeText(size: number | null): string {
  if (size === null) return "varies";
  const bits = Math.round(size * 8);
  return bits % 8 === 0 ? String(size) : bits === 1 ? "1 bit" : `${bits} bits`;
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
