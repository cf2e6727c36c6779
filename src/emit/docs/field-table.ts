import type { FieldModel } from "../../model/device-model.js";
import { placeText, sizeText } from "../byte-map/cell-text.js";
import { fieldBadges, fieldNotes } from "./field-notes.js";
import { html, type Html } from "./html.js";
import type { Links } from "./links.js";
import { row, selfLink, table } from "./parts.js";

/** The fields of a layout, a row each. */
export function fieldTable(
  fields: readonly FieldModel[],
  anchors: readonly string[],
  since: string,
  links: Links,
): Html {
  const rows = fields.map((field, position) => {
    const anchor = anchors[position] ?? "";
    const size = field.bits ? field.bits.width / 8 : field.size;
    return row(anchor, [
      html`<code>${placeText({ offset: field.offset, fromEnd: field.fromEnd, field })}</code>`,
      sizeText(size),
      links.type(field),
      html`<strong>${selfLink(anchor, html`<code>${field.specName}</code>`)}</strong> ${fieldBadges(field, since)}`,
      fieldNotes(field, links),
    ]);
  });
  return table(["Offset", "Size", "Type", "Field", "Meaning"], rows);
}
