import type { FieldModel, SharedModel } from "../../model/device-model.js";
import { findEnum, findExternal, findStruct, typeParts, typeText, type Found } from "../byte-map/type-scope.js";
import type { Cell } from "../byte-map/cells.js";
import { html, joined, type Html } from "./html.js";
import type { Page, Site } from "./site.js";

/** Text of the released specification. Its anchors are not stable, so links name the section and let the browser search. */
const SPECIFICATION = "https://docs.oasis-open.org/virtio/virtio/v1.4/virtio-v1.4.html";

/** A link to the specification that names the section. */
export function specLink(section: string | null): Html | undefined {
  if (section === null) return undefined;
  const address = `${SPECIFICATION}#:~:text=${encodeURIComponent(section)}`;
  return html`<a class="spec" href="${address}" title="Section ${section} of VIRTIO 1.4">§&nbsp;${section}</a>`;
}

/** Address of an id on a page, from another one. */
export function hrefOf(from: Page | undefined, to: Page, anchor: string): string {
  const fragment = `#${encodeURIComponent(anchor)}`;
  return from === to ? fragment : `${to.path}${fragment}`;
}

/** Makes links for one page. */
export class Links {
  readonly #site: Site;
  readonly #page: Page;

  constructor(site: Site, page: Page) {
    this.#site = site;
    this.#page = page;
  }

  /** The type of a field, as C writes it, with a link to its declaration. */
  type(field: FieldModel): Html {
    const { base, match, dimensions } = typeParts(field);
    const brackets = dimensions.map((length) => html`[${this.formula(length)}]`);
    if (base === undefined) return html`<code>by ${this.formula(match ?? "")}${brackets}</code>`;
    const bits = field.bits ? `:${field.bits.width}` : "";
    const kind = dimensions.some((length) => length.includes(" ")) && html` class="formula"`;
    return html`<code${kind}>${this.name(base)}${brackets}${bits}</code>`;
  }

  /** A struct, external type or request by its name in the definition. */
  name(name: string): Html {
    const { scope } = this.#page;
    const found = findStruct(scope, name) ?? findExternal(scope, name) ?? this.#request(name);
    return found ? this.#to(found, found.item.specName) : breakable(name);
  }

  /** An enum or flags by its name in the definition. */
  enum(name: string): Html {
    const found = findEnum(this.#page.scope, name);
    return found ? this.#to(found, found.item.specName) : html`${name}`;
  }

  /** A formula, with links from features and config fields to where they are declared. */
  formula(text: string): Html {
    const parts = text.split(/([A-Za-z_][\w.]*)/);
    return html`${parts.map((part, index) => (index % 2 === 0 ? part : (this.#operand(part) ?? part)))}`;
  }

  /** Where the field of a box in a byte map is described. `own` are the ids of the fields of the drawn layout. */
  cell(cell: Cell, own: readonly string[]): string {
    const home = cell.owner ? this.#site.pageOf(cell.owner.home) : undefined;
    if (!cell.owner || !home) return hrefOf(this.#page, this.#page, own[cell.position] ?? "top");
    return hrefOf(this.#page, home, home.anchors.fieldsOf(cell.owner.item)[cell.position] ?? "top");
  }

  typeText(field: FieldModel): string {
    return typeText(field, this.#page.scope);
  }

  #request(name: string): Found<object & { readonly specName: string }> | undefined {
    const { device } = this.#page;
    const item = device?.requests.find((request) => request.name === name);
    return device && item ? { item, home: device } : undefined;
  }

  #operand(text: string): Html | undefined {
    if (text.startsWith("config.")) return this.#configField(text);
    for (const page of [this.#page, ...this.#corePages()]) {
      const feature = page.device?.features.find(({ name }) => name === text);
      if (feature) return html`<a href="${hrefOf(this.#page, page, page.anchors.of(feature))}">${text}</a>`;
    }
    return undefined;
  }

  #configField(text: string): Html | undefined {
    const config = this.#page.device?.config;
    const name = text.split(".")[1];
    const position = config?.fields.findIndex((field) => field.name === name) ?? -1;
    if (!config || position < 0) return undefined;
    const anchor = this.#page.anchors.fieldsOf(config)[position] ?? "top";
    return html`<a href="${hrefOf(this.#page, this.#page, anchor)}">${text}</a>`;
  }

  /** Features that all devices have. */
  #corePages(): readonly Page[] {
    return this.#site.pages.filter(({ device }) => device?.kind === "core");
  }

  #to({ item, home }: { readonly item: object; readonly home: SharedModel }, text: string): Html {
    const page = this.#site.pageOf(home);
    const broken = breakable(text);
    return page ? html`<a href="${hrefOf(this.#page, page, page.anchors.of(item))}">${broken}</a>` : broken;
  }
}

/** Names longer than this are allowed to go on in a second line of a narrow table. */
const LONG_NAME = 28;

function breakable(name: string): Html {
  if (name.length <= LONG_NAME) return html`${name}`;
  return joined(name.split(/(?<=_)(?=[^_])/), html`<wbr />`);
}
