import type { FieldModel, PatternModel, RequestModel, VariantModel } from "../../model/device-model.js";
import { formulaText } from "../../model/formula-text.js";
import { listingsOf } from "./anchors.js";
import { docParagraph } from "./doc-text.js";
import { fieldTable } from "./field-table.js";
import { html, joined, type Html, type HtmlValue } from "./html.js";
import { layoutMap } from "./layout-map.js";
import type { Links } from "./links.js";
import { badge, itemHeading, origin, selfLink } from "./parts.js";
import type { Page } from "./site.js";

/** Requests: for each variant what the device reads and what it writes, side by side. */
export function requestsSection(requests: readonly RequestModel[], page: Page, links: Links): Html | undefined {
  if (requests.length === 0) return undefined;
  return html`${requests.map(
    (request) =>
      html`<section class="item">
        ${itemHeading(page.anchors.of(request), request, origin(request))}${docParagraph(request.doc)}${variantList(request, page)}${listings(request, page)}${request.variants.map((variant) => variantArticle(variant, request, page, links))}
      </section> `,
  )}`;
}

function variantList(request: RequestModel, page: Page): Html | undefined {
  if (request.variants.length < 2) return undefined;
  const tags = request.discriminators.map((field) => html`<code>${field}</code>`);
  const links = request.variants.map((variant) => variantLink(variant, page));
  return html`<p>By ${joined(tags, ", ")}: ${joined(links, " · ")}</p> `;
}

function variantLink(variant: VariantModel, page: Page): Html {
  return html`<a href="#${encodeURIComponent(page.anchors.of(variant))}">${variant.name}</a>`;
}

/** How the specification calls the message, or some of its variants, where it lists them as a struct. */
function listings(request: RequestModel, page: Page): Html | undefined {
  const structs = listingsOf(page.items, request);
  if (structs.length === 0) return undefined;
  const items = structs.map((struct) => {
    const anchor = page.anchors.of(struct);
    const shown = request.variants.filter(({ name }) => struct.message?.variants.includes(name));
    const all = shown.length === request.variants.length;
    const links = shown.map((variant) => variantLink(variant, page));
    const of = all ? "" : html`: ${joined(links, ", ")}`;
    return html`<li id="${anchor}">
      ${selfLink(anchor, html`<code>${struct.specName}</code>`)} ${origin(struct)}${of}
    </li> `;
  });
  return html`<p class="notes">Listed in the specification as</p>
    <ul class="listings">
      ${items}
    </ul> `;
}

function variantArticle(variant: VariantModel, request: RequestModel, page: Page, links: Links): Html {
  const anchor = page.anchors.of(variant);
  const ids = page.anchors.fieldsOf(variant);
  const streams: {
    readonly title: HtmlValue;
    readonly fields: readonly FieldModel[];
    readonly ids: readonly string[];
  }[] = [{ title: "The device reads", fields: variant.readable, ids: ids.slice(0, variant.readable.length) }];
  let next = variant.readable.length;
  for (const { name, tags, writable } of variant.replies) {
    const when = name === null ? "" : html`, ${tags.length > 0 ? tagsText(tags) : name}`;
    streams.push({
      title: html`The device writes${when}`,
      fields: writable,
      ids: ids.slice(next, next + writable.length),
    });
    next += writable.length;
  }
  const title = `${request.specName} ${variant.name}`;
  return html`<section class="variant">
    <h4 id="${anchor}">
      ${selfLink(anchor, variant.name)} <span class="facts">${variantFacts(variant, request, links)}</span>
    </h4>
    ${docParagraph(variant.doc)}
    <div class="streams">
      ${streams.map(
        (stream) =>
          html`<figure>
            <figcaption>${stream.title}</figcaption>
            ${layoutMap(title, stream.fields, stream.ids, page, links) ?? html`<p class="notes">nothing</p>`}
          </figure> `,
      )}
    </div>
    ${fieldsOf(streams, variant.since, links)}
  </section> `;
}

function variantFacts(variant: VariantModel, request: RequestModel, links: Links): Html {
  const since = variant.since === request.since ? "" : badge(`since ${variant.since}`);
  const own = variant.specName === null ? "" : html` <code>${variant.specName}</code>`;
  const condition = variant.conditionTree
    ? html` if <code>${links.formula(formulaText(variant.conditionTree))}</code>`
    : "";
  return html`${tagsText(variant.tags)}${own}${condition} ${since}`;
}

function tagsText(tags: VariantModel["tags"]): Html {
  const texts = tags.map(({ field, patterns }) => html`<code>${field}</code> = ${patternsText(patterns)}`);
  return joined(texts, ", ");
}

function patternsText(patterns: readonly PatternModel[]): string {
  if (patterns.length === 0) return "any other";
  const texts = patterns.map(({ name, low, high }) => {
    const values = low === high ? `${low}` : `${low}..${high}`;
    return name === null ? values : `${name} (${values})`;
  });
  return texts.join(" or ");
}

/** The tables are long and say the same for most variants, so they open when wanted, or when linked to. */
function fieldsOf(
  streams: readonly {
    readonly title: HtmlValue;
    readonly fields: readonly FieldModel[];
    readonly ids: readonly string[];
  }[],
  since: string,
  links: Links,
): Html | undefined {
  const filled = streams.filter(({ fields }) => fields.length > 0);
  if (filled.length === 0) return undefined;
  return html`<details>
    <summary>Fields</summary>
    ${filled.map(
      ({ title, fields, ids }) =>
        html`<p class="stream">${title}</p>
          ${fieldTable(fields, ids, since, links)}`,
    )}
  </details> `;
}
