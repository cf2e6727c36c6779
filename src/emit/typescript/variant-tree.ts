import type { Formula, PatternModel } from "../../model/device-model.js";
import { code, render, type Code } from "./code.js";
import { patternsOf, tagField, type VariantShape } from "./request-shapes.js";

/** Variants by their tags, outermost tag first. */
export type VariantTree =
  | { readonly kind: "leaf"; readonly variant: VariantShape }
  | VariantChoice
  | {
      readonly kind: "branch";
      readonly discriminator: string;
      /** Any variant below, to look at its field of this name. */
      readonly sample: VariantShape;
      readonly cases: readonly { readonly pattern: PatternModel; readonly child: VariantTree }[];
      readonly otherwise: VariantTree | undefined;
    };

/** Variants with the same tags, which a condition tells apart. */
export interface VariantChoice {
  readonly kind: "choice";
  /** In order: the first whose condition holds. Null: whatever is left. */
  readonly options: readonly {
    readonly condition: Formula | null;
    /** Any variant below. */
    readonly sample: VariantShape;
    readonly child: VariantTree;
  }[];
}

export function variantTree(
  variants: readonly VariantShape[],
  discriminators: readonly string[],
): VariantTree | undefined {
  const [first] = variants;
  if (first === undefined) return undefined;
  const discriminator = discriminators.find((name) =>
    variants.some((variant) => patternsOf(variant, name) !== undefined),
  );
  const choice = choiceOf(variants, discriminator, discriminators);
  if (choice !== undefined) return choice;
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

/** By their conditions, if the next tag does not tell them apart, or is not in the same place in all of them. */
function choiceOf(
  variants: readonly VariantShape[],
  discriminator: string | undefined,
  discriminators: readonly string[],
): VariantChoice | undefined {
  const places = new Set(
    variants.map((variant) => {
      const field = discriminator === undefined ? undefined : tagField(variant, discriminator);
      return field === undefined ? "" : JSON.stringify([field.offset, field.type, field.enum]);
    }),
  );
  if (discriminator !== undefined && places.size === 1) return undefined;
  const groups = new Map<string, VariantShape[]>();
  for (const variant of variants) {
    const key = JSON.stringify(variant.model.conditionTree);
    groups.set(key, [...(groups.get(key) ?? []), variant]);
  }
  if (groups.size === 1) return undefined;
  const options = [...groups.values()].flatMap((group) => {
    const [sample] = group;
    const child = variantTree(group, discriminators);
    return sample === undefined || child === undefined
      ? []
      : [{ condition: sample.model.conditionTree, sample, child }];
  });
  return {
    kind: "choice",
    options: [
      ...options.filter(({ condition }) => condition !== null),
      ...options.filter(({ condition }) => condition === null),
    ],
  };
}

/** Do variants have to have names, because tags alone do not tell them apart? */
export function hasChoice(tree: VariantTree | undefined): boolean {
  if (tree === undefined || tree.kind === "leaf") return false;
  return tree.kind === "choice" || hasChoice(tree.otherwise) || tree.cases.some(({ child }) => hasChoice(child));
}

/** Variants whose condition was looked at on the way to them. */
export function chosenVariants(tree: VariantTree | undefined, isChosen = false): ReadonlySet<VariantShape> {
  if (tree === undefined) return new Set();
  if (tree.kind === "leaf") return new Set(isChosen ? [tree.variant] : []);
  const below =
    tree.kind === "choice"
      ? tree.options.map(({ child }) => chosenVariants(child, true))
      : [...tree.cases.map(({ child }) => child), tree.otherwise].map((child) => chosenVariants(child, isChosen));
  return new Set(below.flatMap((each) => [...each]));
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
  /** The condition of an option; without this, the first option is taken. */
  choose?(option: VariantChoice["options"][number]): Code;
  /** Where no variant fits; undefined if the types rule that out. */
  /** Where no option's condition holds. */
  unchosen?(): Code;
  readonly missing: ((branch: VariantTree & { kind: "branch" }) => Code) | undefined;
}

/**
 * Statements that go to the variant's leaf. Cases with the same statements are put together. `isInner`: behind a `case` of
 * another `switch`.
 */
export function printTree(tree: VariantTree, printer: TreePrinter, isInner = false): Code {
  if (tree.kind === "leaf") return printer.leaf(tree.variant);
  if (tree.kind === "choice") return printChoice(tree, printer, isInner);
  const groups = new Map<string, { labels: Code[]; body: Code }>();
  const ranges: { readonly test: Code; readonly body: Code }[] = [];
  for (const { pattern, child } of tree.cases) {
    const body = printTree(child, printer, true);
    if (pattern.low !== pattern.high) {
      ranges.push({ test: printer.range(pattern, tree), body });
      continue;
    }
    const { text } = render(body);
    const group = groups.get(text) ?? { labels: [], body };
    group.labels.push(printer.label(pattern, tree));
    groups.set(text, group);
  }
  const otherwise = tree.otherwise === undefined ? printer.missing?.(tree) : printTree(tree.otherwise, printer, true);
  const isExhaustive = printer.missing === undefined && otherwise === undefined && ranges.length === 0;
  const [only] = groups.values();
  // The same whatever the tag is.
  if (isExhaustive && groups.size === 1 && only !== undefined) return only.body;
  // The types say that nothing is left, but a linter does not see it: one would miss a `break` behind an inner `switch`, and
  // the compiler would call that unreachable.
  if (isExhaustive && isInner) [...groups.values()].at(-1)?.labels.push(DEFAULT);
  const cases = [...groups.values()].map(({ labels, body }) => {
    const statements = code`${body} ${endsItself(body) ? "" : "break;"}`;
    const names = labels.map((label) => (label === DEFAULT ? DEFAULT : code`case ${label}:`));
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

const DEFAULT = code`default:`;

function printChoice(tree: VariantChoice, printer: TreePrinter, isInner: boolean): Code {
  const bodies = tree.options.map((option) => {
    const body = printTree(option.child, printer, isInner);
    return option.condition === null || printer.choose === undefined
      ? body
      : code`if (${printer.choose(option)}) { ${body} }`;
  });
  if (printer.choose === undefined) return bodies[0] ?? code``;
  const isWhole = tree.options.some(({ condition }) => condition === null);
  return code`${bodies} ${!isWhole && printer.unchosen?.()}`;
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
