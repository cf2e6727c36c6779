import type { Span } from "../diagnostics/source.js";
import type { SourceFile } from "../language/syntax-tree.js";
import type { DeviceModel, Model } from "../model/device-model.js";

/**
 * Where a part of the model stands in the source: the declaration that the last names of `place` lead to, which are those of
 * a device, a struct, request or `config`, and a field. Names that the source has not, such as those of variants, are passed over.
 */
export function placeInSource(
  place: string,
  device: DeviceModel,
  model: Model,
  files: readonly SourceFile[],
): Span | undefined {
  const items: readonly object[] = files.flatMap((file) => file.items);
  const declared = items.find((item) => nameOf(item)?.text === device.name && "kind" in item && item.kind === "device");
  if (declared === undefined) return undefined;
  const shared = items.filter((item) => !("kind" in item && item.kind === "device"));
  let found = declared;
  for (const segment of place.split(".")) {
    if (segment === device.name && found === declared) continue;
    const wanted = spellings(segment, device, model);
    const inside = find(childrenOf(found), wanted);
    found = inside ?? (found === declared ? find(shared, wanted) : undefined) ?? found;
  }
  const { span } = nameOf(found) ?? {};
  if (span !== undefined) return span;
  return isLocated(found) ? { ...found.span, end: found.span.start + "config".length } : undefined;
}

/** The names under which a part of the model may be declared: places have that of the specification, or that of its type. */
function spellings(segment: string, device: DeviceModel, model: Model): ReadonlySet<string> {
  const all = [...device.structs, ...device.requests, ...model.shared.structs];
  const declared = all
    .filter(({ specName, name }) => specName === segment || segment.endsWith(name))
    .map(({ name }) => name);
  const names = [segment, ...declared];
  // The second field of a name, in another branch, has a number behind it.
  return new Set([...names, ...names.map((name) => name.replace(/_\d+$/, ""))]);
}

/** What lays bytes out, or says where they travel. */
const LAYOUTS: ReadonlySet<unknown> = new Set([
  "config",
  "external",
  "field",
  "match-fields",
  "queue",
  "registers",
  "request",
  "struct",
  "struct-part",
]);

/** What is declared with one of these names among nodes or inside of them, the outermost one if there are several. */
function find(nodes: readonly object[], names: ReadonlySet<string>): object | undefined {
  for (let level = nodes; level.length > 0; level = level.flatMap(childrenOf)) {
    for (const node of level) {
      if (!("kind" in node) || !LAYOUTS.has(node.kind)) continue;
      const name = node.kind === "config" ? "config" : nameOf(node)?.text;
      if (name !== undefined && names.has(name)) return node;
    }
  }
  return undefined;
}

function childrenOf(node: object): readonly object[] {
  return Object.entries(node).flatMap(([key, value]: [string, unknown]): readonly object[] => {
    if (key === "span" || typeof value !== "object" || value === null) return [];
    return Array.isArray(value) ? value.filter((item: unknown) => typeof item === "object" && item !== null) : [value];
  });
}

function nameOf(node: object): { readonly text: string; readonly span: Span } | undefined {
  if (!("name" in node) || typeof node.name !== "object" || node.name === null) return undefined;
  const { name } = node;
  return "text" in name && typeof name.text === "string" && isLocated(name)
    ? { text: name.text, span: name.span }
    : undefined;
}

function isLocated(node: object): node is { readonly span: Span } {
  return "span" in node && typeof node.span === "object" && node.span !== null && "source" in node.span;
}
