import type { FieldDeclaration, FieldModifier } from "../language/syntax-tree.js";
import type { Access, FieldModel, FieldType, MeaningModel } from "./device-model.js";
import { spelling, type ClauseHolder, type ClauseTable } from "./clauses.js";
import { reportUnknown, type Facts } from "./facts.js";
import { largestValue, type ResolvedType, type ScalarChoice, type ScalarContent } from "./field-types.js";
import { textOrNull } from "./formula-text.js";
import { modelNumber } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileCondition, compileConstant } from "./formulas.js";
import { isReservedName } from "./spec-names.js";
import { lastNamed, type Origin } from "./versions.js";

/** Everything of a field that has nothing to do with where it lies. */
export type FieldMeaning = Omit<
  FieldModel,
  | "offset"
  | "size"
  | "fromEnd"
  | "overlaps"
  | "union"
  | "condition"
  | "conditionTree"
  | "moves"
  | "bits"
  | "counts"
  | "sizedTree"
>;

/** A field without clauses, for parts that the compiler adds itself. */
export function plainMeaning(name: string, type: FieldType, origin: Origin, doc: string): FieldMeaning {
  return {
    name,
    specName: name,
    doc,
    ...origin,
    type,
    access: "ro",
    clears: null,
    volatile: false,
    reserved: false,
    checked: false,
    optional: false,
    validTree: null,
    constraint: null,
    constraintTree: null,
    default: null,
    persists: false,
    phase: null,
    before: null,
    constant: false,
    unannounced: false,
    learnt: null,
    enum: null,
    flags: null,
    bitset: null,
    bitsetFrom: 0,
    meanings: [],
    signed: false,
    address: false,
    addressUnit: null,
    addressSpace: null,
    text: null,
    unit: null,
    was: null,
    wasUntil: null,
  };
}

const accessModifiers: readonly FieldModifier[] = ["ro", "rw", "wo", "w1c"];
const phases = ["any", "features_ok", "driver_ok"] as const;

/** Reads modifiers and clauses of a field. */
export function fieldMeaning(options: {
  readonly field: FieldDeclaration;
  readonly name: string;
  readonly type: FieldType;
  readonly resolved: ResolvedType;
  readonly clauses: ClauseTable;
  readonly holder: ClauseHolder;
  readonly origin: Origin;
  readonly facts: Facts;
  /** Sees all the fields beside this one. */
  readonly rules: FormulaEnvironment;
}): FieldMeaning {
  const { field, name, resolved, clauses, facts, origin } = options;
  const content = resolved.kind === "scalar" ? resolved.content : null;
  const symbol = content !== null && "symbol" in content ? content.symbol : null;
  const rules: FormulaEnvironment = { ...options.rules, expected: content?.kind === "bitset" ? null : symbol };
  const access = accessOf(options.field, options.holder, facts);
  const whereClause = clauses.expressions.get("where");
  const validClause = clauses.expressions.get("valid");
  const constraintTree = (whereClause && compileCondition(whereClause.expression, rules)) ?? null;
  const modified = (word: FieldModifier): boolean => field.modifiers.some((modifier) => modifier.word === word);
  const reserved = modified("reserved") || (isReservedName(name) && resolved.kind === "scalar" && symbol === null);
  return {
    name,
    specName: clauses.names.get("as")?.name.text ?? field.name?.text ?? name,
    doc: field.documentation.join("\n"),
    since: origin.since,
    until: origin.until,
    spec: origin.spec,
    type: options.type,
    access,
    clears: clearsOf(options, access),
    volatile: modified("volatile"),
    reserved,
    checked: checkedOf(options, reserved),
    optional: modified("optional") && options.holder === "a field of a message",
    validTree: (validClause && compileCondition(validClause.expression, options.rules)) ?? null,
    constraint: textOrNull(constraintTree),
    constraintTree,
    default: defaultOf(options, rules),
    persists: clauses.words.has("persists"),
    phase: phaseOf(options, access),
    before: beforeOf(options, access),
    constant: clauses.words.has("constant"),
    unannounced: clauses.words.has("unannounced"),
    learnt: learntOf(options),
    enum: content?.kind === "enum" ? content.symbol.name : null,
    flags: content?.kind === "flags" ? content.symbol.name : null,
    bitset: content?.kind === "bitset" ? content.symbol.name : null,
    bitsetFrom: content?.kind === "bitset" ? content.from : 0,
    meanings: resolved.kind === "scalar" ? resolved.choices.flatMap((choice) => meaningOf(choice, options.rules)) : [],
    signed: content?.kind === "signed",
    address: content?.kind === "address",
    addressUnit: content?.kind === "address" ? content.scale : null,
    addressSpace: spaceOf(content, options),
    text: textOf(options),
    unit: clauses.texts.get("unit")?.text ?? null,
    was: clauses.names.get("was")?.name.text ?? null,
    wasUntil: lastNamed(clauses.names.get("was"), name, origin.since, facts.bag),
  };
}

function meaningOf({ content, condition }: ScalarChoice, rules: FormulaEnvironment): readonly MeaningModel[] {
  if (!("symbol" in content)) return [];
  const conditionTree = condition && compileCondition(condition, rules);
  if (condition && conditionTree === undefined) return [];
  const { kind, symbol } = content;
  return [
    { kind, type: symbol.name, condition: textOrNull(conditionTree ?? null), conditionTree: conditionTree ?? null },
  ];
}

function accessOf(field: FieldDeclaration, holder: ClauseHolder, facts: Facts): Access {
  let access: Access | undefined;
  let first: FieldDeclaration["modifiers"][number] | undefined;
  for (const modifier of field.modifiers) {
    const isAccess = accessModifiers.includes(modifier.word);
    if (holder === "a field of a message" && (isAccess || modifier.word === "volatile")) {
      facts.bag.report("clause-not-here", modifier.span, { word: modifier.word, what: holder });
      continue;
    }
    if (!isAccess) continue;
    if (first) {
      const labels = [{ span: first.span, message: "given here first" }];
      facts.bag.report("duplicate-clause", modifier.span, { word: modifier.word }, { labels });
      continue;
    }
    first = modifier;
    switch (modifier.word) {
      case "ro":
      case "rw":
      case "wo":
      case "w1c":
        access = modifier.word;
        break;
      default:
        break;
    }
  }
  return access ?? "ro";
}

/** `checked`: only what has no meaning of its own can be checked for being zero. */
function checkedOf(options: Parameters<typeof fieldMeaning>[0], reserved: boolean): boolean {
  const modifier = options.field.modifiers.find(({ word }) => word === "checked");
  if (!modifier) return false;
  if (reserved) return true;
  options.facts.bag.report("clause-not-here", modifier.span, { word: "checked", what: "a field that is not reserved" });
  return false;
}

function phaseOf(options: Parameters<typeof fieldMeaning>[0], access: Access): FieldModel["phase"] {
  const clause = options.clauses.names.get("phase");
  if (!clause) return access === "ro" ? null : "features_ok";
  const phase = phases.find((known) => known === clause.name.text);
  if (phase === undefined) reportUnknown(options.facts, options.rules.scope, "phase", clause.name, () => phases);
  return phase ?? null;
}

/** `clears events_read`; whether there is such a field is seen when all of them are known. */
function clearsOf(options: Parameters<typeof fieldMeaning>[0], access: Access): string | null {
  const clause = options.clauses.names.get("clears");
  if (!clause) return null;
  if (access === "w1c") return clause.name.text;
  const values = { word: "clears", what: "a field that is not `w1c`" };
  options.facts.bag.report("clause-not-here", clause.span, values);
  return null;
}

/** `before driver_ok`: later the driver may not write it any more. */
function beforeOf(options: Parameters<typeof fieldMeaning>[0], access: Access): FieldModel["before"] {
  const clause = options.clauses.names.get("before");
  if (!clause) return null;
  const ends = ["features_ok", "driver_ok"] as const;
  const end = ends.find((known) => known === clause.name.text);
  if (end === undefined) reportUnknown(options.facts, options.rules.scope, "phase", clause.name, () => ends);
  if (access !== "ro") return end ?? null;
  const values = { word: "before", what: "a field that the driver cannot write" };
  options.facts.bag.report("clause-not-here", clause.span, values);
  return null;
}

/** `learnt Element.count`. */
function learntOf({ clauses, rules, facts }: Parameters<typeof fieldMeaning>[0]): FieldModel["learnt"] {
  const clause = clauses.expressions.get("learnt");
  if (!clause || clause.expression.kind === "missing") return null;
  const [protocol, field, more] = clause.expression.kind === "path" ? clause.expression.segments : [];
  if (!protocol || !field || more) {
    const values = { expected: "what a protocol learns, as in `Element.count`", found: "something else" };
    facts.bag.report("wrong-operand", clause.expression.span, values);
    return null;
  }
  const { scope } = rules;
  const block = scope.protocols.find(({ name }) => name.text === protocol.text);
  if (!block) {
    reportUnknown(facts, scope, "protocol", protocol, () => scope.protocols.map(({ name }) => name.text));
    return null;
  }
  const known = block.members.flatMap((member) => (member.kind === "lesson" ? member.fields : []));
  if (!known.some(({ text }) => text === field.text)) {
    reportUnknown(facts, scope, `what ${protocol.text} learns:`, field, () => known.map(({ text }) => text));
    return null;
  }
  return { protocol: protocol.text, field: field.text };
}

/** `address of Domain`: the addresses of a protocol's objects. */
function spaceOf(content: ScalarContent | null, { facts, rules }: Parameters<typeof fieldMeaning>[0]): string | null {
  if (content?.kind !== "address" || content.space === null) return null;
  const { scope } = rules;
  const { space } = content;
  if (scope.protocols.some(({ name }) => name.text === space.text)) return space.text;
  reportUnknown(facts, scope, "protocol", space, () => scope.protocols.map(({ name }) => name.text));
  return null;
}

function defaultOf(options: Parameters<typeof fieldMeaning>[0], rules: FormulaEnvironment): number | null {
  const clause = options.clauses.expressions.get("default");
  if (!clause) return null;
  const value = compileConstant(clause.expression, rules);
  if (value === undefined) return null;
  if (options.resolved.kind === "scalar") {
    const all = largestValue(options.resolved.scalar);
    const signed = options.resolved.content?.kind === "signed";
    const high = signed ? all >> 1n : all;
    const low = signed ? -high - 1n : 0n;
    if (value < low || value > high) {
      const what = `the default of ${options.name}`;
      options.facts.bag.report("value-out-of-range", clause.expression.span, { what, value, low, high });
      return null;
    }
  }
  const inModel = modelNumber(value);
  return typeof inModel === "number" ? inModel : null;
}

function textOf(options: Parameters<typeof fieldMeaning>[0]): FieldModel["text"] {
  const { field, clauses, resolved, facts } = options;
  const isText = resolved.kind === "scalar" && resolved.char && field.dimensions.length > 0;
  for (const word of ["terminated", "strings"] as const) {
    const clause = clauses.words.get(word);
    if (!clause || isText || resolved.kind === "broken") continue;
    facts.bag.report("clause-not-here", clause.span, {
      word: spelling(word),
      what: "a field that is no array of `char`",
    });
  }
  if (!isText) return null;
  if (clauses.words.has("strings")) return "list";
  if (clauses.words.has("terminated")) return "terminated";
  const inner = innermostLength(options.type);
  return typeof inner === "number" ? "padded" : "exact";
}

function innermostLength(type: FieldType): number | string | null {
  if (typeof type === "string" || !("of" in type)) return null;
  return typeof type.of === "object" && "of" in type.of ? innermostLength(type.of) : type.length;
}

/** Where a field lies, and under which condition it exists. */
export type FieldPosition = Pick<
  FieldModel,
  "offset" | "size" | "overlaps" | "conditionTree" | "moves" | "bits" | "sizedTree"
>;

export function placedField(meaning: FieldMeaning, position: FieldPosition): FieldModel {
  const { conditionTree } = position;
  // Written out: there are many of these, and every one has the same shape.
  return {
    name: meaning.name,
    specName: meaning.specName,
    doc: meaning.doc,
    since: meaning.since,
    until: meaning.until,
    spec: meaning.spec,
    type: meaning.type,
    offset: position.offset,
    size: position.size,
    fromEnd: null,
    access: meaning.access,
    clears: meaning.clears,
    volatile: meaning.volatile,
    reserved: meaning.reserved,
    checked: meaning.checked,
    optional: meaning.optional,
    overlaps: position.overlaps,
    union: null,
    condition: textOrNull(conditionTree),
    conditionTree,
    moves: position.moves && conditionTree !== null,
    validTree: meaning.validTree,
    constraint: meaning.constraint,
    constraintTree: meaning.constraintTree,
    default: meaning.default,
    persists: meaning.persists,
    phase: meaning.phase,
    before: meaning.before,
    constant: meaning.constant,
    unannounced: meaning.unannounced,
    learnt: meaning.learnt,
    enum: meaning.enum,
    flags: meaning.flags,
    bitset: meaning.bitset,
    bitsetFrom: meaning.bitsetFrom,
    meanings: meaning.meanings,
    signed: meaning.signed,
    address: meaning.address,
    addressUnit: meaning.addressUnit,
    addressSpace: meaning.addressSpace,
    text: meaning.text,
    bits: position.bits,
    sizedTree: position.sizedTree,
    counts: null,
    unit: meaning.unit,
    was: meaning.was,
    wasUntil: meaning.wasUntil,
  };
}
