/** What a page consists of, read strictly: every tag is closed in order, every attribute is quoted, entities are known. */
export interface ReadPage {
  readonly elements: readonly ReadElement[];
  /** All text, with entities resolved. */
  readonly text: string;
}
export interface ReadElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Names of the elements around it, outermost first. */
  readonly path: readonly string[];
}

const voidElements = new Set(["meta", "link", "br", "wbr", "input"]);
const selfClosing = new Set(["rect", "path"]);
/** Elements whose end tag HTML would put where one of these begins. */
const closesParagraph = new Set(["p", "div", "ul", "table", "section", "figure", "h1", "h2", "h3", "h4", "details"]);
const onlyIn: Readonly<Record<string, readonly string[]>> = {
  li: ["ul"],
  tr: ["thead", "tbody"],
  td: ["tr"],
  th: ["tr"],
  summary: ["details"],
  figcaption: ["figure"],
  title: ["head", "a"],
};
const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
  "&nbsp;": "\u00a0",
};

/** Throws where a page is not well-formed. */
export function readPage(source: string): ReadPage {
  const start = "<!doctype html>\n";
  if (!source.startsWith(start)) throw new Error("no doctype");
  const elements: ReadElement[] = [];
  const open: string[] = [];
  const texts: string[] = [];
  let rest = source.slice(start.length);
  while (rest !== "") {
    const found =
      /^<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*(\/?)>/.exec(rest) ?? /^[^<>]+/.exec(rest);
    if (!found) throw new Error(`not markup: ${rest.slice(0, 80)}`);
    rest = rest.slice(found[0].length);
    const [whole, slash, name, attributes = "", ended] = found;
    if (name === undefined) texts.push(resolve(whole));
    else if (slash === "/") {
      const last = open.pop();
      if (last !== name) throw new Error(`</${name}> closes <${last ?? "nothing"}>`);
    } else {
      checkPlace(name, open);
      elements.push({ name, attributes: readAttributes(attributes), path: [...open] });
      if (ended === "/" && !selfClosing.has(name) && !voidElements.has(name)) throw new Error(`<${name}/>`);
      if (ended !== "/" && !voidElements.has(name)) open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`<${open.join("><")}> stay open`);
  return { elements, text: texts.join("") };
}

function checkPlace(name: string, open: readonly string[]): void {
  const parent = open.at(-1) ?? "";
  const allowed = onlyIn[name];
  if (allowed && !allowed.includes(parent)) throw new Error(`<${name}> in <${parent}>`);
  if (closesParagraph.has(name) && open.includes("p")) throw new Error(`<${name}> in <p>`);
  if (name === "a" && open.includes("a")) throw new Error("a link in a link");
  if ((parent === "ul" && name !== "li") || (parent === "tr" && name !== "td" && name !== "th")) {
    throw new Error(`<${name}> in <${parent}>`);
  }
}

function readAttributes(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/([a-zA-Z-]+)(?:="([^"]*)")?/g)) {
    if (attributes.has(name)) throw new Error(`${name} twice`);
    attributes.set(name, resolve(value));
  }
  return attributes;
}

function resolve(text: string): string {
  return text.replace(/&[^;\s]*;?/g, (entity) => {
    const character = entities[entity];
    if (character === undefined) throw new Error(`${entity} is no entity`);
    return character;
  });
}
