import { ownStructs } from "../byte-map/type-scope.js";
import { sectionIds, sections, type SectionId } from "./anchors.js";
import { docParagraph } from "./doc-text.js";
import { html, joined, type Html } from "./html.js";
import { Links, specLink } from "./links.js";
import { pageFrame } from "./page-frame.js";
import { badge } from "./parts.js";
import { constantsSection, enumsSection, externalsSection } from "./section-constants.js";
import { featuresSection } from "./section-features.js";
import { configSection, registersSection, structSection } from "./section-layouts.js";
import { sharedMemorySection, tablesSection } from "./section-numbers.js";
import { protocolsSection } from "./section-protocols.js";
import { queuesSection } from "./section-queues.js";
import { requestsSection } from "./section-requests.js";
import type { Page, Site } from "./site.js";

/** The page of a device, or of what all devices share. */
export function devicePage(site: Site, page: Page): string {
  const links = new Links(site, page);
  const filled = sectionIds.flatMap((id) => {
    const content = sectionOf(id, page, links);
    return content ? [{ id, content }] : [];
  });
  const body = html`${heading(page)}${filled.map(
    ({ id, content }) =>
      html`<section>
        <h2 id="${id}">${sections[id]}</h2>
        ${content}
      </section> `,
  )}`;
  const contents = contentsOf(
    page,
    filled.map(({ id }) => id),
  );
  return pageFrame(site, `${page.title} – virtio devices`, contents, body);
}

function heading({ title, device }: Page): Html {
  if (!device) return html`<h1>${title}</h1> `;
  const id = device.id === null ? "" : badge(`device ${device.id}`);
  return html`<h1>
      ${title} <span class="facts">${id}${badge(`since ${device.since}`)} ${specLink(device.spec)}</span>
    </h1>
    ${docParagraph(device.doc)}
    <p class="notes">From <code>${device.source}</code>.</p> `;
}

function sectionOf(id: SectionId, page: Page, links: Links): Html | undefined {
  const { device, items } = page;
  switch (id) {
    case "features":
      return device && featuresSection(device, page, links);
    case "config":
      return device && configSection(device, page, links);
    case "queues":
      return device && queuesSection(device, page, links);
    case "requests":
      return device && requestsSection(device.requests, page, links);
    case "protocols":
      return device && protocolsSection(device, links);
    case "registers":
      return device && registersSection(device.registers, page, links);
    case "memory":
      return device && sharedMemorySection(device.sharedMemory, page, links);
    case "tables":
      return device && tablesSection(device.tables, page, links);
    case "structs":
      return structSection(ownStructs(items), page, links);
    case "enums":
      return enumsSection(items.enums, page);
    case "constants":
      return constantsSection(items.constants, page);
    case "externals":
      return externalsSection(items.externals, page, links);
  }
}

function contentsOf(page: Page, filled: readonly SectionId[]): Html {
  return html`<nav class="contents" aria-label="Contents">
    <ul>
      ${filled.map((id) => html`<li><a href="#${id}">${sections[id]}</a>${innerList(id, page)}</li> `)}
    </ul>
  </nav> `;
}

/** Structs that were declared inside of others are left out: nobody looks for them by name. */
function innerList(id: SectionId, { device, items, anchors }: Page): Html | undefined {
  const lists: Partial<Record<SectionId, readonly { readonly specName: string }[]>> = {
    requests: device?.requests ?? [],
    registers: device?.registers ?? [],
    structs: ownStructs(items).filter(({ anonymous }) => !anonymous),
    enums: items.enums,
  };
  const list = lists[id] ?? [];
  if (list.length === 0) return undefined;
  const links = list.map(
    (item) => html`<li><a href="#${encodeURIComponent(anchors.of(item))}">${breakable(item.specName)}</a></li>`,
  );
  return html`<ul>
    ${links}
  </ul>`;
}

/** A long name may be broken behind each `_`, and nowhere else. */
function breakable(name: string): Html {
  return joined(name.split(/(?<=_)(?=[^_])/), html`<wbr />`);
}
