/** Markup, as opposed to text: the only thing that gets into a page without being escaped. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** Takes a text as markup. For what this folder writes itself, never for names or documentation. */
  static trusted(text: string): Html {
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

/** What a template can hold. Text and numbers are escaped; null, undefined and false leave nothing. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/** Makes markup: html`<b title="${name}">${text}</b>`. Attributes must be in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const parts = strings.map((text, index) => text + render(values[index]));
  return Html.trusted(parts.join(""));
}

/** Puts markup or text between the items of a list. */
export function joined(items: readonly HtmlValue[], separator: HtmlValue): Html {
  return html`${items.map((item, index) => (index === 0 ? item : [separator, item]))}`;
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return "";
  if (typeof value === "string" || typeof value === "number") return escape(String(value));
  return value instanceof Html ? value.toString() : value.map(render).join("");
}

function escape(text: string): string {
  return text.replace(/[&<>"']|[^\P{Cc}\t\n]/gu, (letter) => entities.get(letter) ?? "\uFFFD");
}

const entities: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"],
]);
