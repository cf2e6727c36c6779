import type {
  FieldModel,
  FieldType,
  Formula,
  ReplyModel,
  RequestModel,
  StructModel,
  VariantModel,
} from "../../model/device-model.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { withKnownMatches } from "./known-matches.js";
import { isScalarType, shapeOf } from "./shapes.js";
import { isVisible } from "./struct-types.js";

/** Where the fields of a struct that is no longer there are now: `hdr.type` is `type`. */
interface Opened {
  /** The struct's field in the stream. */
  readonly field: string;
  readonly struct: string;
  /** Of each field in it. */
  readonly names: ReadonlyMap<string, string>;
  /** Which of them are tags; none if it is not a header. */
  readonly tags: ReadonlySet<string>;
}

type Stream = "readable" | "writable";

/** A field that stood in a header. Who writes it may leave it out where it has no meaning. */
interface HeaderField extends FieldModel {
  readonly inHeader: true;
}

/** May the value be left out when the field is written? It is zero then. */
export function hasDefault(field: FieldModel): boolean {
  return "inHeader" in field;
}

export const DEFAULT_NOTE = "Zero if it is left out.";

/** The fields as who writes them gives them: those of headers may be missing. */
export function givenFields(fields: readonly FieldModel[]): readonly FieldModel[] {
  return fields.map((field) => (hasDefault(field) ? { ...field, conditionTree: ALWAYS, moves: false } : field));
}

const ALWAYS: Formula = { op: "number", value: 1 };

/**
 * A request in which the fields of its headers stand side by side with the others. TypeScript tells the members of a union
 * apart by their own properties only, so a tag such as `hdr.type` has to be one: the struct that it is in is opened. So
 * is a struct of a reply that says no more than a status.
 */
export function flatRequest(request: RequestModel, scope: DeviceScope): RequestModel {
  let result = request;
  for (let depth = 0; ; depth++) {
    const next = openedOnce(result, scope);
    if (next === undefined) return withKnownMatches(result, scope);
    if (depth > 16) throw new EmitError("a tag inside of so many structs", `${scope.device.name}.${request.name}`);
    result = next;
  }
}

function openedOnce(request: RequestModel, scope: DeviceScope): RequestModel | undefined {
  const readable = openings(request, "readable", scope);
  const writable = openings(request, "writable", scope);
  if (readable.length + writable.length === 0) return undefined;
  return {
    ...request,
    discriminators: request.discriminators.map((path) => renamed(path, readable)),
    variants: request.variants.map((variant) => openedVariant(variant, readable, writable, scope)),
  };
}

const streamsOf = (request: RequestModel, stream: Stream): (readonly FieldModel[])[] =>
  stream === "readable"
    ? request.variants.map((variant) => variant.readable)
    : request.variants.flatMap((variant) => variant.replies.map((reply) => reply.writable));

/** The structs to open, and what their fields are called then. */
function openings(request: RequestModel, stream: Stream, scope: DeviceScope): Opened[] {
  const tags = request.variants.flatMap((variant) =>
    stream === "readable" ? variant.tags : variant.replies.flatMap((reply) => reply.tags),
  );
  const paths = tags.map(({ field }) => field.split(".")).filter((path) => path.length > 1);
  const found = new Map<string, { readonly field: string; readonly struct: string }>();
  for (const fields of streamsOf(request, stream)) {
    for (const field of fields) {
      const wanted =
        hasTag(field, paths, scope) ||
        (stream === "writable" && isOnlyAStatus(field, scope) && isInEveryReply(field, request));
      const struct = structOf(field.type);
      if (!wanted || struct === undefined) continue;
      found.set(`${field.name} ${struct}`, { field: field.name, struct });
    }
  }
  return [...found.values()].map((opening) => ({
    ...opening,
    names: namesIn(opening, request, stream, scope),
    tags: new Set(paths.flatMap(([first, second]) => (first === opening.field ? [second ?? ""] : []))),
  }));
}

/** Is one of the tags in this struct? A field of the same name may be another struct elsewhere. */
function hasTag(field: FieldModel, paths: readonly (readonly string[])[], scope: DeviceScope): boolean {
  const name = structOf(field.type);
  const struct = name === undefined ? undefined : scope.struct(name);
  return paths.some(
    ([first, second]) => first === field.name && struct?.fields.some((inner) => inner.name === second) === true,
  );
}

function structOf(type: FieldType): string | undefined {
  if (typeof type === "string") return isScalarType(type) ? undefined : type;
  return "struct" in type ? type.struct : undefined;
}

/** In every reply that there is: some messages have none. */
function isInEveryReply(field: FieldModel, request: RequestModel): boolean {
  return streamsOf(request, "writable").every(
    (fields) => fields.length === 0 || fields.some((other) => other.name === field.name && other.type === field.type),
  );
}

/** A struct of fixed size with one number in it. */
function isOnlyAStatus(field: FieldModel, scope: DeviceScope): boolean {
  const struct = typeof field.type === "string" ? scope.struct(field.type) : undefined;
  if (struct?.kind !== "struct" || struct.size === null || field.conditionTree !== null || field.sizedTree !== null)
    return false;
  const [only, second] = struct.fields.filter(isVisible);
  if (only === undefined || second !== undefined || only.conditionTree !== null) return false;
  if (typeof only.type === "string" && (isScalarType(only.type) || scope.enum(only.type) !== undefined)) return true;
  return isOnlyAStatus(only, scope);
}

/** The names that the fields have in the struct, with the struct's in front where something else has that name. */
function namesIn(
  opening: { readonly field: string; readonly struct: string },
  request: RequestModel,
  stream: Stream,
  scope: DeviceScope,
): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  for (const fields of streamsOf(request, stream)) {
    if (!fields.some((field) => field.name === opening.field && structOf(field.type) === opening.struct)) continue;
    for (const field of fields) if (field.name !== opening.field) taken.add(field.name);
  }
  return new Map(
    scope.requireStruct(opening.struct).fields.map((field) => {
      const isFree = !taken.has(field.name) && !field.reserved;
      return [field.name, isFree ? field.name : `${opening.field}_${field.name}`];
    }),
  );
}

function openedVariant(
  variant: VariantModel,
  readable: readonly Opened[],
  writable: readonly Opened[],
  scope: DeviceScope,
): VariantModel {
  const mine = readable.filter((opened) => isIn(opened, variant.readable));
  const self = (path: readonly string[]): readonly string[] => renamedPath(path, mine);
  const formula = (tree: Formula): Formula => withPaths(tree, { self, readable: self });
  return {
    ...variant,
    tags: variant.tags.map((tag) => ({ ...tag, field: renamed(tag.field, mine) })),
    conditionTree: variant.conditionTree && formula(variant.conditionTree),
    readable: opened(variant.readable, mine, formula, variant.name, scope),
    replies: variant.replies.map((reply) => openedReply(reply, self, writable, variant.name, scope)),
  };
}

function openedReply(
  reply: ReplyModel,
  readable: (path: readonly string[]) => readonly string[],
  openings_: readonly Opened[],
  place: string,
  scope: DeviceScope,
): ReplyModel {
  const mine = openings_.filter((each) => isIn(each, reply.writable));
  const formula = (tree: Formula): Formula => withPaths(tree, { self: (path) => renamedPath(path, mine), readable });
  return {
    ...reply,
    tags: reply.tags.map((tag) => ({ ...tag, field: renamed(tag.field, mine) })),
    conditionTree: reply.conditionTree && formula(reply.conditionTree),
    writable: opened(reply.writable, mine, formula, place, scope),
  };
}

function isIn(each: Opened, fields: readonly FieldModel[]): boolean {
  return fields.some((field) => field.name === each.field && structOf(field.type) === each.struct);
}

function renamedPath(path: readonly string[], all: readonly Opened[]): readonly string[] {
  const [first, second, ...rest] = path;
  const name = second === undefined ? undefined : all.find(({ field }) => field === first)?.names.get(second);
  return name === undefined ? path : [name, ...rest];
}

function renamed(path: string, all: readonly Opened[]): string {
  return renamedPath(path.split("."), all).join(".");
}

/** The stream with the fields of the structs in their place. */
function opened(
  fields: readonly FieldModel[],
  all: readonly Opened[],
  formula: (tree: Formula) => Formula,
  place: string,
  scope: DeviceScope,
): FieldModel[] {
  return fields.flatMap((field) => {
    const mine = all.find((each) => each.field === field.name && each.struct === structOf(field.type));
    const outer = withFormulas(field, formula);
    if (mine === undefined) return [outer];
    const inner = fieldsOf(outer, mine, `${scope.device.name}.${place}.${field.name}`, scope);
    // Unions are numbered in each list.
    const from = 1000 * (all.indexOf(mine) + 1);
    return inner.map((each) =>
      each.union ? { ...each, union: { ...each.union, group: from + each.union.group } } : each,
    );
  });
}

function fieldsOf(outer: FieldModel, { struct, names, tags }: Opened, place: string, scope: DeviceScope): FieldModel[] {
  const model = scope.requireStruct(struct);
  if (model.kind !== "struct") throw new EmitError(`a tag inside of a ${model.kind}`, place);
  if (outer.conditionTree !== null) throw new EmitError("a tag inside of a struct that may be missing", place);
  const given = typeof outer.type === "object" && "struct" in outer.type ? outer.type.arguments : [];
  const values = new Map(model.parameters.map((name, index) => [name, given[index]]));
  const inner = (tree: Formula): Formula =>
    withPaths(tree, { self: ([first, ...rest]) => [names.get(first ?? "") ?? first ?? "", ...rest] }, values);
  const base = outer.offset;
  const parts = model.fields.map((field): FieldModel | HeaderField => {
    const counts =
      field.counts === null ? null : { ...field.counts, field: names.get(field.counts.field) ?? field.counts.field };
    const canBeZero = tags.size > 0 && !tags.has(field.name) && isVisible(field) && isNumberOrBytes(field, scope);
    return {
      ...withFormulas(field, inner),
      ...(canBeZero ? { inHeader: true } : {}),
      name: names.get(field.name) ?? field.name,
      offset: base === null || field.offset === null ? null : base + field.offset,
      fromEnd: outer.fromEnd === null || field.offset === null ? null : Math.max(0, outer.fromEnd - field.offset),
      counts,
    };
  });
  const size = outer.sizedTree ?? (model.sizedTree && inner(model.sizedTree));
  return size === null ? parts : [...parts, ...padding(outer, size, endOf(model, place))];
}

/** What has a zero to be written as. */
function isNumberOrBytes(field: FieldModel, scope: DeviceScope): boolean {
  if (field.conditionTree !== null || field.sizedTree !== null || field.overlaps) return false;
  const shape = shapeOf(field, scope);
  return shape.kind === "scalar" || (shape.kind === "bytes" && shape.length.kind === "fixed");
}

function endOf(struct: StructModel, place: string): number {
  const ends = struct.fields.map((field) => {
    if (field.offset === null || field.size === null)
      throw new EmitError("a tag inside of a struct of variable size", place);
    return field.offset + field.size;
  });
  return Math.max(0, ...ends);
}

/** What is between the end of a struct and the size that it is given. */
function padding(outer: FieldModel, size: Formula, own: number): FieldModel[] {
  const fixed = size.op === "number" ? Number(size.value) - own : null;
  if (fixed !== null && fixed <= 0) return [];
  const left: Formula = { op: "binary", operator: "-", left: size, right: { op: "number", value: own } };
  const length: Formula = { op: "call", function: "max", arguments: [left, { op: "number", value: 0 }] };
  return [
    {
      ...outer,
      name: `${outer.name}_padding`,
      type: {
        of: "u8",
        length: fixed ?? "",
        lengthTree: fixed === null ? length : null,
        unit: "elements",
        strideTree: null,
        endsTree: null,
      },
      offset: outer.offset === null ? null : outer.offset + own,
      size: fixed,
      reserved: true,
      sizedTree: null,
      doc: "",
    },
  ];
}

// ---- formulas ----

interface PathChanges {
  readonly self: (path: readonly string[]) => readonly string[];
  readonly readable?: (path: readonly string[]) => readonly string[];
}

/** The formula with other names for fields, and values for parameters. */
export function withPaths(
  formula: Formula,
  changes: PathChanges,
  values: ReadonlyMap<string, Formula | undefined> = new Map(),
): Formula {
  const inner = (part: Formula): Formula => withPaths(part, changes, values);
  switch (formula.op) {
    case "field": {
      const change = formula.scope === "self" ? changes.self : changes.readable;
      return change === undefined ? formula : { ...formula, path: change(formula.path) };
    }
    case "parameter":
      return values.get(formula.name) ?? formula;
    case "unary":
      return { ...formula, operand: inner(formula.operand) };
    case "binary":
      return { ...formula, left: inner(formula.left), right: inner(formula.right) };
    case "conditional":
      return {
        ...formula,
        condition: inner(formula.condition),
        whenTrue: inner(formula.whenTrue),
        whenFalse: inner(formula.whenFalse),
      };
    case "call":
      return { ...formula, arguments: formula.arguments.map(inner) };
    case "number":
    case "feature":
    case "config":
    case "index":
      return formula;
  }
}

/** The field with every formula of its own changed. */
export function withFormulas(field: FieldModel, change: (formula: Formula) => Formula): FieldModel {
  const optional = (tree: Formula | null): Formula | null => tree && change(tree);
  return {
    ...field,
    type: typeWith(field.type, change),
    conditionTree: optional(field.conditionTree),
    validTree: optional(field.validTree),
    constraintTree: optional(field.constraintTree),
    sizedTree: optional(field.sizedTree),
  };
}

function typeWith(type: FieldType, change: (formula: Formula) => Formula): FieldType {
  const optional = (tree: Formula | null): Formula | null => tree && change(tree);
  if (typeof type === "string") return type;
  if ("of" in type) {
    return {
      ...type,
      of: typeWith(type.of, change),
      lengthTree: optional(type.lengthTree),
      strideTree: optional(type.strideTree),
      endsTree: type.endsTree,
    };
  }
  if ("match" in type) {
    const arms = type.arms.map((arm) => ({ ...arm, arguments: arm.arguments.map(change) }));
    return { ...type, matchTree: change(type.matchTree), arms };
  }
  return { ...type, arguments: type.arguments.map(change) };
}
