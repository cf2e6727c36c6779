import { formulaText } from "../../model/formula-text.js";
import type { FieldModel, MeaningModel } from "../../model/device-model.js";
import { accessText } from "../byte-map/cell-text.js";
import { docText } from "./doc-text.js";
import { html, joined, type Html, type HtmlValue } from "./html.js";
import type { Links } from "./links.js";
import { badge } from "./parts.js";

/** All that there is to say about a field besides where it is. */
export function fieldNotes(field: FieldModel, links: Links): Html {
  const notes = [...factsOf(field, links), ...matchNotes(field, links)];
  const lines: HtmlValue[] = [
    docText(field.doc),
    notes.length > 0 && html`<span class="notes">${joined(notes, "; ")}</span>`,
  ];
  return joined(
    lines.filter((line) => line !== undefined && line !== false),
    html`<br />`,
  );
}

/** What changes how a field is to be read or written. */
export function fieldBadges(field: FieldModel, encloserSince: string): Html {
  return html`${field.reserved && badge("reserved")}${field.volatile && badge("volatile", "volatile")}${
    field.access !== "ro" && badge(accessText(field.access), "writable")
  }${field.address && badge("address")}${field.since !== encloserSince && badge(`since ${field.since}`)}${
    field.until !== null && badge(`until ${field.until}`)
  }`;
}

function factsOf(field: FieldModel, links: Links): readonly Html[] {
  const formula = (before: string, text: string | null, after = ""): Html | undefined =>
    text === null ? undefined : html`${before} <code>${links.formula(text)}</code>${after}`;
  const tree = (before: string, value: FieldModel["validTree"], after = ""): Html | undefined =>
    value === null ? undefined : formula(before, formulaText(value), after);
  const facts: readonly (Html | undefined)[] = [
    formula("there if", field.condition),
    tree("means something if", field.validTree),
    field.optional ? html`may be missing, at the end of the stream` : undefined,
    field.reserved && field.checked ? html`may have to be refused if it is not zero` : undefined,
    formula("allowed:", field.constraint),
    field.unit === null ? undefined : html`in ${field.unit}`,
    field.enum === null ? undefined : html`one of ${links.enum(field.enum)}`,
    field.flags === null ? undefined : html`bits of ${links.enum(field.flags)}`,
    field.bitset === null
      ? undefined
      : html`a bit for each of ${links.enum(field.bitset)}${field.bitsetFrom > 0 && ` from ${field.bitsetFrom} on`}`,
    ...field.meanings.map((meaning) => meaningFact(meaning, links)),
    field.signed ? html`signed` : undefined,
    addressFact(field),
    textFact(field),
    field.counts === null ? undefined : html`length of <code>${field.counts.field}</code>${plus(field.counts.plus)}`,
    tree("takes", field.sizedTree, " bytes"),
    ...arrayFacts(field, tree),
    field.default === null ? undefined : html`${field.default} after reset`,
    field.persists ? html`survives a reset of the device` : undefined,
    phaseFact(field),
    field.before === null ? undefined : html`may not be written from ${field.before.toUpperCase()} on`,
    field.constant ? html`never changes` : undefined,
    field.clears === null ? undefined : html`ones clear bits of <code>${field.clears}</code>`,
    field.unannounced ? html`changes without a notification` : undefined,
    field.learnt === null ? undefined : html`known from <code>${field.learnt.protocol}.${field.learnt.field}</code>`,
    field.was === null ? undefined : html`earlier called <code>${field.was}</code>`,
  ];
  return facts.filter((fact) => fact !== undefined);
}

function meaningFact({ kind, type, condition }: MeaningModel, links: Links): Html {
  const what = { enum: "one of", flags: "bits of", bitset: "a bit for each of" }[kind];
  const when = condition === null ? html`otherwise` : html`if <code>${links.formula(condition)}</code>`;
  return html`${what} ${links.enum(type)} ${when}`;
}

function addressFact({ addressUnit, addressSpace }: FieldModel): Html | undefined {
  if (addressUnit === null) return undefined;
  const space = addressSpace === null ? html`guest-physical address` : html`address in ${addressSpace}`;
  return addressUnit === 1 ? space : html`${space}, in units of ${addressUnit} bytes`;
}

function plus(number: number): string {
  if (number === 0) return "";
  return number > 0 ? ` plus ${number}` : ` minus ${-number}`;
}

function arrayFacts(
  { type }: FieldModel,
  tree: (before: string, value: FieldModel["validTree"], after?: string) => Html | undefined,
): readonly (Html | undefined)[] {
  if (typeof type === "string" || !("of" in type)) return [];
  return [tree("an element takes", type.strideTree, " bytes"), tree("ends after the element for which", type.endsTree)];
}

function textFact({ text }: FieldModel): Html | undefined {
  switch (text) {
    case null:
      return undefined;
    case "padded":
      return html`text, filled up with NULs`;
    case "terminated":
      return html`text that ends with a NUL`;
    case "exact":
      return html`text without a NUL`;
    case "list":
      return html`texts, each of which ends with a NUL`;
  }
}

function phaseFact({ phase, access }: FieldModel): Html | undefined {
  if (access === "ro") return undefined;
  switch (phase) {
    case null:
      return undefined;
    case "any":
      return html`may be written at any time`;
    case "features_ok":
      return html`may be written from FEATURES_OK on`;
    case "driver_ok":
      return html`may be written from DRIVER_OK on`;
  }
}

/** For a union with a tag: which struct it is when. */
function matchNotes({ type }: FieldModel, links: Links): readonly Html[] {
  let inner = type;
  while (typeof inner !== "string" && "of" in inner) inner = inner.of;
  if (typeof inner === "string" || !("match" in inner)) return [];
  return inner.arms.map((arm) => {
    const values = arm.patterns.map(({ name, low, high }) => name ?? (low === high ? `${low}` : `${low}..${high}`));
    const when = values.length === 0 ? "otherwise" : values.join(", ");
    return html`${when}: <code>${links.name(arm.struct)}</code>`;
  });
}
