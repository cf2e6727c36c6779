import type { SharedMemoryModel, TableModel } from "../../model/device-model.js";
import { docText } from "./doc-text.js";
import { html, type Html } from "./html.js";
import type { Links } from "./links.js";
import { origin, row, selfLink, table } from "./parts.js";
import type { Page } from "./site.js";

/** Shared memory regions by their number. */
export function sharedMemorySection(regions: readonly SharedMemoryModel[], page: Page, links: Links): Html | undefined {
  if (regions.length === 0) return undefined;
  const rows = regions.map((region) => {
    const anchor = page.anchors.of(region);
    const condition =
      region.condition === null
        ? ""
        : html` <span class="notes">there if <code>${links.formula(region.condition)}</code></span>`;
    return row(anchor, [
      rangeText(region.id, region.last),
      selfLink(anchor, html`<code>${region.specName}</code>`),
      html`${docText(region.doc)} ${origin(region)}${condition}`,
    ]);
  });
  return table(["Number", "Region", "Meaning"], rows);
}

const titles: Readonly<Record<TableModel["table"], string>> = {
  capabilities: "Capabilities",
  resources: "Resource objects",
  parts: "Device parts",
};

/** What the payloads of admin commands are, by their number. */
export function tablesSection(tables: readonly TableModel[], page: Page, links: Links): Html | undefined {
  if (tables.length === 0) return undefined;
  return html`${tables.map(
    (each) =>
      html`<h3>${titles[each.table]}</h3>
        ${table(["Number", "Name", "Payload", "Meaning"], rowsOf(each, page, links))}`,
  )}`;
}

function rowsOf({ entries }: TableModel, page: Page, links: Links): readonly Html[] {
  return entries.map((entry) => {
    const anchor = page.anchors.of(entry);
    return row(anchor, [
      rangeText(entry.id, entry.last),
      selfLink(anchor, html`<code>${entry.specName}</code>`),
      entry.type === null ? "" : html`<code>${links.name(entry.type)}</code>`,
      html`${docText(entry.doc)} ${origin(entry)}`,
    ]);
  });
}

function rangeText(first: number, last: number | null): Html {
  const text = (value: number): string => (value < 10 ? String(value) : `0x${value.toString(16)}`);
  return html`<code>${text(first)}${last !== null && `..${text(last)}`}</code>`;
}
