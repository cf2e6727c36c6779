import type { RuntimeSymbol } from "./imports.js";

/**
 * TypeScript text under construction. What it needs from other modules is kept as data beside the text, so that the list
 * of imports follows from what was printed.
 */
export interface Code {
  readonly kind: "code";
  readonly parts: readonly (string | RuntimeSymbol | Code)[];
}

/** What may be put into a `code` template. Strings are printed as they are; `quoted` makes a string literal. */
export type Printable = string | number | bigint | RuntimeSymbol | Code | readonly Printable[] | undefined | false;

/** An empty line that is meant; those that are left where something prints nothing are taken out. */
const EMPTY_LINE = "\n\u0001\n";

/** ``code`const ${name} = ${value};` ``. A list is printed one item a line. `undefined` and `false` print nothing. */
export function code(strings: TemplateStringsArray, ...values: readonly Printable[]): Code {
  const parts: (string | RuntimeSymbol | Code)[] = [];
  for (const [index, text] of strings.entries()) {
    if (text !== "") parts.push(text.replaceAll(/\n\s*\n/g, EMPTY_LINE));
    if (index < values.length) append(parts, values[index]);
  }
  return { kind: "code", parts };
}

function append(parts: (string | RuntimeSymbol | Code)[], value: Printable): void {
  if (value === undefined || value === false) return;
  if (typeof value === "string") parts.push(value);
  else if (typeof value === "number") parts.push(String(value));
  else if (typeof value === "bigint") parts.push(`${value}n`);
  else if ("kind" in value) parts.push(value);
  else {
    for (const item of value) {
      append(parts, item);
      parts.push("\n");
    }
  }
}

export const nothing: Code = { kind: "code", parts: [] };

export function isNothing(value: Code): boolean {
  return value.parts.length === 0;
}

/** Items with a separator between them, such as a list of arguments. */
export function joined(items: readonly Printable[], separator: string): Code {
  const parts: (string | RuntimeSymbol | Code)[] = [];
  for (const [index, item] of items.entries()) {
    if (index > 0) parts.push(separator);
    append(parts, item);
  }
  return { kind: "code", parts };
}

/** Declarations or members with an empty line between them. */
export function paragraphs(items: readonly Code[]): Code {
  return joined(
    items.filter((item) => !isNothing(item)),
    EMPTY_LINE,
  );
}

/** A string literal. */
export function quoted(text: string): Code {
  return {
    kind: "code",
    parts: [JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029")],
  };
}

/** A key in an object or type literal: bare if it can be. */
export function propertyKey(name: string): Code {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? { kind: "code", parts: [name] } : quoted(name);
}

/** A number, in hexadecimal if its author thinks of it as a mask. */
export function hexadecimal(value: number | bigint): Code {
  const suffix = typeof value === "bigint" ? "n" : "";
  return { kind: "code", parts: [value < 10 ? `${value}${suffix}` : `0x${value.toString(16)}${suffix}`] };
}

/** The text, and the symbols that it uses. */
export function render(value: Code): { readonly text: string; readonly symbols: readonly RuntimeSymbol[] } {
  const texts: string[] = [];
  const symbols: RuntimeSymbol[] = [];
  const visit = (part: string | RuntimeSymbol | Code): void => {
    if (typeof part === "string") texts.push(part);
    else if (part.kind === "code") part.parts.forEach(visit);
    else {
      texts.push(part.name);
      symbols.push(part);
    }
  };
  visit(value);
  const text = texts
    .join("")
    .replaceAll(/\n[ \t\n]*\n/g, "\n")
    .replaceAll("\u0001", "");
  return { text, symbols };
}

/** Does the text mention a name? */
export function mentions(value: Code, name: string): boolean {
  return new RegExp(`(?<![\\w#])${name}\\b`).test(render(value).text);
}

/** Does the code use a variable? Members and texts of that name do not count. */
export function usesVariable(value: Code, name: string): boolean {
  const text = render(value).text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  return new RegExp(`(?<![\\w#]|[^.]\\.)${name}\\b(?!:)`).test(text);
}

/** Names of parameters: those that the body does not use are left out at the end, and begin with `_` elsewhere. */
export function parameterNames(names: readonly string[], body: Code): string {
  const used = names.map((name) => usesVariable(body, name));
  const count = used.lastIndexOf(true) + 1;
  return names
    .slice(0, count)
    .map((name, index) => (used[index] === true ? name : `_${name}`))
    .join(", ");
}
