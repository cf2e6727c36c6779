import { html, type Html, type HtmlValue } from "./html.js";
import { specLink } from "./links.js";

/** A table that scrolls by itself where the screen is narrow. */
export function table(header: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${header.map((text) => html`<th>${text}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => html`${row} `)}
      </tbody>
    </table>
  </div> `;
}

/** A row that can be linked to. */
export function row(anchor: string | undefined, cells: readonly HtmlValue[], kind = ""): Html {
  const id = anchor === undefined ? "" : html` id="${anchor}"`;
  const mark = kind === "" ? "" : html` class="${kind}"`;
  return html`<tr${id}${mark}>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`;
}

/** A name that is a link to itself, for copying. */
export function selfLink(anchor: string, text: HtmlValue): Html {
  return html`<a class="self" href="#${encodeURIComponent(anchor)}">${text}</a>`;
}

export function badge(text: string, kind = ""): Html {
  return html`<span class="badge${kind === "" ? "" : ` ${kind}`}">${text}</span>`;
}

/** `since 1.2`, `until 1.3`, and the section; what the first release has is not worth a word. */
export function origin(item: {
  readonly since: string;
  readonly until?: string | null;
  readonly spec: string | null;
}): Html {
  const until = item.until ?? null;
  return html`${item.since !== "1.0" && badge(`since ${item.since}`)}${until !== null && badge(`until ${until}`)}
  ${specLink(item.spec)}`;
}

/** Heading of a declaration: the specification's name, the name in the definition, where it comes from. */
export function itemHeading(
  anchor: string,
  item: { readonly name?: string; readonly specName: string },
  facts: HtmlValue,
): Html {
  const other = item.name !== undefined && item.name !== item.specName ? html` <small>${item.name}</small>` : "";
  return html`<h3 id="${anchor}">
    ${selfLink(anchor, html`<code>${item.specName}</code>`)}${other} <span class="facts">${facts}</span>
  </h3> `;
}

/** A number in decimal, and in hex where that says more. */
export function numberText(value: number | string): string {
  const number = BigInt(value);
  return number < 10n ? number.toString() : `${number.toString()} = 0x${number.toString(16)}`;
}
