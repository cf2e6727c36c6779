import type { PatternModel } from "../../model/device-model.js";
import { code, render, type Code } from "./code.js";
import { patternsOf, type VariantShape } from "./request-shapes.js";

/** Variants by their tags, outermost tag first. */
export type VariantTree =
  | { readonly kind: "leaf"; readonly variant: VariantShape }
  | {
      readonly kind: "branch";
      readonly discriminator: string;
      /** Any variant below, to look at its field of this name. */
      readonly sample: VariantShape;
      readonly cases: readonly { readonly pattern: PatternModel; readonly child: VariantTree }[];
      readonly otherwise: VariantTree | undefined;
    };

export function variantTree(
  variants: readonly VariantShape[],
  discriminators: readonly string[],
): VariantTree | undefined {
  const [first] = variants;
  if (first === undefined) return undefined;
  const discriminator = discriminators.find((name) =>
    variants.some((variant) => patternsOf(variant, name) !== undefined),
  );
  if (discriminator === undefined) return { kind: "leaf", variant: first };
  const rest = discriminators.slice(discriminators.indexOf(discriminator) + 1);
  const matching = (test: (patterns: readonly PatternModel[]) => boolean): VariantTree | undefined =>
    variantTree(
      variants.filter((variant) => test(patternsOf(variant, discriminator) ?? [])),
      rest,
    );
  const cases: { pattern: PatternModel; child: VariantTree }[] = [];
  const seen = new Set<string>();
  for (const pattern of variants.flatMap((variant) => patternsOf(variant, discriminator) ?? [])) {
    const key = `${pattern.low}..${pattern.high}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const child = matching((patterns) =>
      patterns.some((each) => each.low === pattern.low && each.high === pattern.high),
    );
    if (child !== undefined) cases.push({ pattern, child });
  }
  return {
    kind: "branch",
    discriminator,
    sample: first,
    cases,
    otherwise: matching((patterns) => patterns.length === 0),
  };
}

/** How a tree becomes nested `switch`es. */
export interface TreePrinter {
  /** Statements before the `switch`. */
  before?(branch: VariantTree & { kind: "branch" }): Code;
  /** What is switched on. */
  subject(branch: VariantTree & { kind: "branch" }): Code;
  label(pattern: PatternModel, branch: VariantTree & { kind: "branch" }): Code;
  /** A condition for a range of tag values. */
  range(pattern: PatternModel, branch: VariantTree & { kind: "branch" }): Code;
  /** Statements that return. */
  leaf(variant: VariantShape): Code;
  /** Where no variant fits; undefined if the types rule that out. */
  readonly missing: ((branch: VariantTree & { kind: "branch" }) => Code) | undefined;
}

/** Statements that go to the variant's leaf. Cases with the same statements are put together. */
export function printTree(tree: VariantTree, printer: TreePrinter): Code {
  if (tree.kind === "leaf") return printer.leaf(tree.variant);
  const groups = new Map<string, { labels: Code[]; body: Code }>();
  const ranges: { readonly test: Code; readonly body: Code }[] = [];
  for (const { pattern, child } of tree.cases) {
    const body = printTree(child, printer);
    if (pattern.low !== pattern.high) {
      ranges.push({ test: printer.range(pattern, tree), body });
      continue;
    }
    const { text } = render(body);
    const group = groups.get(text) ?? { labels: [], body };
    group.labels.push(printer.label(pattern, tree));
    groups.set(text, group);
  }
  const otherwise = tree.otherwise === undefined ? printer.missing?.(tree) : printTree(tree.otherwise, printer);
  const isExhaustive = printer.missing === undefined && otherwise === undefined && ranges.length === 0;
  const [only] = groups.values();
  // The same whatever the tag is.
  if (isExhaustive && groups.size === 1 && only !== undefined) return only.body;
  const cases = [...groups.values()].map(({ labels, body }) => {
    const statements = code`${body} ${endsItself(body) ? "" : "break;"}`;
    const names = labels.map((label) => code`case ${label}:`);
    return declares(body) ? code`${names} { ${statements} }` : code`${names} ${statements}`;
  });
  const last = otherwise === undefined ? ranges.pop() : undefined;
  const tests = ranges.map(({ test, body }) => code`if (${test}) { ${body} }`);
  // Where the types rule out everything else, the last range needs no test.
  const end = otherwise ?? last?.body;
  const rest = code`${tests} ${end}`;
  const fallback = end === undefined ? code`` : declares(rest) ? code`default: { ${rest} }` : code`default: ${rest}`;
  return code`${printer.before?.(tree)} switch (${printer.subject(tree)}) { ${cases} ${fallback} }`;
}

/** Variables need a block of their own. */
function declares(body: Code): boolean {
  return /\b(const|let) /.test(render(body).text);
}

/** Does a run of statements surely not go on behind its end? */
function endsItself(body: Code): boolean {
  const { text } = render(body);
  if (!/^\s*(const|this|switch)\b[^]*switch \(|^\s*switch/.test(text)) return true;
  // A switch in which all cases return goes on nowhere if its last one is the default.
  const fallback = text.lastIndexOf("default:");
  return fallback > text.lastIndexOf("case ") && fallback > text.lastIndexOf("switch (");
}
