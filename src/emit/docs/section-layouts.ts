import type { ConfigModel, DeviceModel, FieldModel, RegistersModel, StructModel } from "../../model/device-model.js";
import { formulaText } from "../../model/formula-text.js";
import { docParagraph } from "./doc-text.js";
import { fieldTable } from "./field-table.js";
import { html, joined, type Html } from "./html.js";
import { layoutMap } from "./layout-map.js";
import type { Links } from "./links.js";
import { itemHeading, origin } from "./parts.js";
import type { Page } from "./site.js";

/** The configuration space. */
export function configSection(device: DeviceModel, page: Page, links: Links): Html | undefined {
  const { config } = device;
  if (!config) return undefined;
  const facts = html`${bytesText(config)} ${origin({ since: "1.0", spec: config.spec })}`;
  return html`${itemHeading(page.anchors.of(config), { specName: config.specName }, facts)}${docParagraph(config.doc)}${layout(
    config,
    device.since,
    page,
    links,
  )}${windowNote(config)}`;
}

function windowNote({ window }: ConfigModel): Html | undefined {
  if (!window) return undefined;
  const names = (list: readonly string[]): Html =>
    joined(
      list.map((name) => html`<code>${name}</code>`),
      ", ",
    );
  return html`<p>What ${names(window.answers)} holds is chosen by writing ${names(window.selectors)}.</p>`;
}

/** Structs and unions, or tables of registers. */
export function structSection(structs: readonly StructModel[], page: Page, links: Links): Html | undefined {
  if (structs.length === 0) return undefined;
  return html`${structs.map(
    (struct) =>
      html`<section class="item">
        ${itemHeading(page.anchors.of(struct), struct, structFacts(struct))}${docParagraph(struct.doc)}${structNotes(struct, links)}${layout(struct, struct.since, page, links)}
      </section> `,
  )}`;
}

export function registersSection(all: readonly RegistersModel[], page: Page, links: Links): Html | undefined {
  if (all.length === 0) return undefined;
  return html`${all.map(
    (registers) =>
      html`<section class="item">
        ${itemHeading(page.anchors.of(registers), registers, html`${bytesText(registers)} ${origin(registers)}`)}${docParagraph(registers.doc)}${layout(registers, registers.since, page, links)}
      </section> `,
  )}`;
}

interface LayoutItem {
  readonly specName: string;
  readonly size: number | null;
  readonly fields: readonly FieldModel[];
}

function layout(item: LayoutItem, since: string, page: Page, links: Links): Html {
  const anchors = page.anchors.fieldsOf(item);
  if (item.fields.length === 0) return html`<p class="notes">It is empty.</p> `;
  const map = layoutMap(`Byte map of ${item.specName}`, item.fields, anchors, page, links);
  return html`${map && html`<figure>${map}</figure> `}${map && legendOf(item.fields)}${fieldTable(item.fields, anchors, since, links)}`;
}

function structFacts(struct: StructModel): Html {
  const kind = struct.kind === "struct" ? "" : `${struct.kind}, `;
  return html`${kind}${bytesText(struct)} ${origin(struct)}`;
}

function bytesText({ size, ...item }: { readonly size: number | null; readonly minSize?: number }): string {
  if (size !== null) return size === 1 ? "1 byte" : `${size} bytes`;
  return item.minSize === undefined || item.minSize === 0 ? "variable size" : `${item.minSize} bytes and more`;
}

function structNotes(struct: StructModel, links: Links): Html | undefined {
  const notes = [
    struct.anonymous && html`Declared inside of another one; the name is made up.`,
    struct.parameters.length > 0 && html`Takes ${struct.parameters.join(", ")} from where it is used.`,
    struct.kind === "header" && html`Only a prefix may be there: as far as the last field whose condition holds.`,
    struct.kind === "union" && html`All members start at the same byte.`,
    struct.sizedTree && html`It takes <code>${links.formula(formulaText(struct.sizedTree))}</code> bytes.`,
  ].filter((note) => note instanceof Object);
  return notes.length === 0 ? undefined : html`<p class="notes">${notes.map((note) => html`${note} `)}</p> `;
}

/** What the colours of a map mean, as far as it has them. */
function legendOf(fields: readonly FieldModel[]): Html | undefined {
  const keys = [
    fields.some(({ condition }) => condition !== null) &&
      html`<span class="key gated">there under a condition only</span>`,
    fields.some(({ access }) => access !== "ro") && html`<span class="key writable">the driver may write it</span>`,
    fields.some((field) => field.volatile) && html`<span class="key volatile">changes by itself</span>`,
  ].filter((key) => key !== false);
  return keys.length === 0 ? undefined : html`<p class="legend">${joined(keys, " ")}</p>`;
}
