import type { ArrayDimension, Expression, FieldDeclaration } from "../language/syntax-tree.js";
import type { FieldType, Formula } from "./device-model.js";
import type { ClauseTable } from "./clauses.js";
import type { Facts } from "./facts.js";
import { spelling } from "./clauses.js";
import { fieldsOf, findPath, isNumber, enumOfField } from "./field-paths.js";
import { scalarSize, type ResolvedType } from "./field-types.js";
import { formulaText } from "./formula-text.js";
import { constantOf } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileCondition, compileNumber } from "./formulas.js";
import type { StructLayout } from "./struct-layout.js";

/** Larger than any guest's memory; sizes beyond are mistakes. */
export const largestSize = 2 ** 32;

/** What a type takes in memory. */
export interface Shape {
  readonly type: FieldType;
  /** In bytes; null if it varies. */
  readonly size: number | null;
  readonly least: number;
  /** It takes all that is left of the stream. */
  readonly rest: boolean;
  /** Something in it is wrong and reported: nothing follows from its size. */
  readonly broken: boolean;
}

export const brokenShape: Shape = { type: "u8", size: null, least: 0, rest: false, broken: true };

/** The shape of a type without its dimensions. */
export function baseShape(
  resolved: ResolvedType,
  layout: StructLayout | undefined,
  values: readonly Formula[],
  facts: Facts,
): Shape {
  switch (resolved.kind) {
    case "scalar": {
      const size = scalarSize(resolved.scalar);
      return { type: resolved.scalar, size, least: size, rest: false, broken: false };
    }
    case "struct":
    case "inline": {
      if (!layout) return brokenShape;
      const { name, size, minSize, parameters } = layout.model;
      const type = parameters.length > 0 ? { struct: name, arguments: values } : name;
      // Of a header only a prefix may be there.
      const whole = layout.model.kind === "header" && minSize !== size ? null : size;
      return { type, size: whole, least: minSize, rest: layout.rest, broken: layout.broken };
    }
    case "external": {
      const size = facts.externals.get(resolved.symbol);
      if (size === undefined) return brokenShape;
      return { type: resolved.symbol.name, size, least: size ?? 0, rest: size === null, broken: false };
    }
    case "broken":
      return brokenShape;
  }
}

/** The shape of an array, from the shape of what it consists of. The first dimension is the outermost. */
export function arrayShape(
  field: FieldDeclaration,
  name: string,
  base: Shape,
  resolved: ResolvedType,
  clauses: ClauseTable,
  environment: FormulaEnvironment,
): Shape {
  const { bag } = environment.facts;
  if (field.dimensions.length === 0) {
    for (const word of ["stride", "ends"] as const) {
      const clause = clauses.expressions.get(word);
      if (clause)
        bag.report("clause-not-here", clause.span, { word: spelling(word), what: "a field that is not an array" });
    }
    return base;
  }
  let shape = base;
  for (let index = field.dimensions.length - 1; index >= 0; index -= 1) {
    const dimension = field.dimensions[index];
    if (!dimension) continue;
    shape = oneDimension(dimension, name, shape, index === 0 ? clauses : null, resolved, environment);
  }
  return shape;
}

function oneDimension(
  dimension: ArrayDimension,
  name: string,
  element: Shape,
  clauses: ClauseTable | null,
  resolved: ResolvedType,
  environment: FormulaEnvironment,
): Shape {
  const { bag } = environment.facts;
  const strideClause = clauses?.expressions.get("stride");
  const strideTree = strideClause ? (compileNumber(strideClause.expression, environment) ?? null) : null;
  const stride = strideTree ? constantOf(strideTree) : null;
  const endsClause = clauses?.expressions.get("ends");
  const endsTree = endsClause ? endCondition(endsClause.expression, resolved, environment) : null;
  if (element.rest && !element.broken && strideTree === null) {
    bag.report("rest-in-array", dimension.span, { name });
  }
  if (stride !== null && strideClause && element.size !== null && stride < BigInt(element.size)) {
    const what = `an element of ${name}`;
    bag.report("size-overrun", strideClause.span, { name: what, actual: element.size, allowed: stride });
  }
  const elementSize = strideTree === null ? element.size : stride === null ? null : Number(stride);
  const elementLeast = strideTree === null ? element.least : 0;
  const broken = element.broken || (strideClause !== undefined && strideTree === null);
  const shared = { of: element.type, unit: dimension.unit, strideTree, endsTree } as const;
  if (!dimension.length) {
    const type = { ...shared, length: null, lengthTree: null };
    return { type, size: null, least: 0, rest: true, broken };
  }
  const lengthTree = compileNumber(dimension.length, environment);
  if (lengthTree === undefined) return { ...brokenShape, type: { ...shared, length: 0, lengthTree: null } };
  const length = constantOf(lengthTree);
  if (length === null) {
    const type = { ...shared, length: formulaText(lengthTree), lengthTree };
    return { type, size: null, least: 0, rest: false, broken };
  }
  if (length < 0n || length > BigInt(largestSize)) {
    const what = `the length of ${name}`;
    bag.report("value-out-of-range", dimension.length.span, { what, value: length, low: 0, high: largestSize });
    return brokenShape;
  }
  const count = Number(length);
  const type = { ...shared, length: count, lengthTree: null };
  // An end condition makes an array shorter than its bound.
  const varies = endsTree !== null && dimension.unit === "elements";
  if (dimension.unit === "bytes") return { type, size: count, least: count, rest: false, broken };
  if (elementSize !== null && count * elementSize > largestSize) {
    bag.report("too-large", dimension.span, { name, size: count * elementSize, limit: largestSize });
    return brokenShape;
  }
  return {
    type,
    size: elementSize === null || varies ? null : count * elementSize,
    least: varies ? 0 : Math.min(count * elementLeast, largestSize),
    rest: false,
    broken,
  };
}

/** `ends`: a condition on the fields of an element. */
function endCondition(expression: Expression, resolved: ResolvedType, environment: FormulaEnvironment): Formula | null {
  const { facts } = environment;
  const members =
    resolved.kind === "struct"
      ? resolved.symbol.declaration.members
      : resolved.kind === "inline"
        ? resolved.declaration.members
        : [];
  const scope = resolved.kind === "struct" ? resolved.symbol.scope : environment.scope;
  const inElement: FormulaEnvironment = {
    facts,
    scope,
    fieldNames: () => fieldsOf(members).keys(),
    field: (path) => {
      const last = path.at(-1);
      const found = findPath(members, path, scope, facts);
      if (found === undefined || last === undefined) return undefined;
      if (found === "broken" || !isNumber(found, last, facts)) return { formula: undefined, enum: null };
      const formula = { op: "field", scope: "self", path: path.map((name) => name.text) } as const;
      return { formula, enum: enumOfField(found) };
    },
  };
  return compileCondition(expression, inElement) ?? null;
}
