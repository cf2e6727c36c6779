import type { FieldModel } from "../../model/device-model.js";
import { code, render, type Code } from "./code.js";
import type { CodecContext } from "./codec-parameters.js";
import { referredFields } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { forwardFields, type ForwardField } from "./forward-fields.js";
import { newWord, wordAt, wordCondition, type Word } from "./bit-fields.js";
import { continuesOverlap, endOverlap, moveTo, overlapSize, type OpenOverlap } from "./overlaps.js";
import { memberAtPath, valueAtPath } from "./field-paths.js";
import { condition, type FormulaContext, type Value } from "./formulas.js";
import { newVariable } from "./names.js";
import { reservedBytes } from "./size-fields.js";
import { interpret, readScalar } from "./read-scalars.js";
import { lengthOf, sizedRead, tailSize, type ReadSite } from "./read-values.js";
import { fixedSize, isWide, shapeOf, type Shape } from "./shapes.js";
import { elementType, isOptional, isVisible, propertyName, typeOf } from "./struct-types.js";

/** Statements that read fields one after the other, and the properties of the value made from them. */
export interface FieldReads {
  readonly statements: readonly Code[];
  readonly properties: readonly Code[];
  /** Fields by name, as the code that follows can refer to them. */
  readonly formulas: FormulaContext;
}

/** Reads a list of fields in order. `readerAfter` names another reader from the field on that it is given for. */
export function readFields(
  fields: readonly FieldModel[],
  context: CodecContext,
  reader = "reader",
  beforeField: (field: FieldModel, formulas: FormulaContext) => ReaderChange | undefined = () => undefined,
): FieldReads {
  const { scope } = context;
  const taken = context.taken ?? new Set<string>();
  const fresh = (name: string): string => newVariable(name, taken);
  const referred = referredFields(fields);
  const locals = new Map<FieldModel, Code>();
  const numbers = new Map<string, Value>();
  /** Read before their turn. */
  const known = new Set<FieldModel>();
  const formulas: FormulaContext = {
    ...context.formulas,
    field: (where, path) => {
      if (where !== "self" || !fields.some((field) => field.name === path[0]))
        return context.formulas.field(where, path);
      const known = path.length === 1 ? numbers.get(path[0] ?? "") : undefined;
      return known ?? valueAtPath(fields, path, (field) => locals.get(field) ?? code`undefined`, scope, context.place);
    },
    member: (where, path) => {
      const isOwn = where === "self" && fields.some((field) => field.name === path[0]);
      if (!isOwn) return context.formulas.member?.(where, path);
      return memberAtPath(fields, path, (field) => locals.get(field) ?? code`undefined`, scope);
    },
  };
  const statements: Code[] = [];
  const properties: Code[] = [];
  let current = reader;
  let word: Word | undefined;
  /** Holds if that word is not there. */
  let wordTest: Code | undefined;
  let overlap: OpenOverlap | undefined;
  for (const [index, field] of fields.entries()) {
    const change = beforeField(field, formulas);
    if (change !== undefined) {
      statements.push(...change.statements);
      current = change.reader;
    }
    if (overlap !== undefined && !continuesOverlap(fields, index - 1)) {
      statements.push(...endOverlap(overlap, current, formulas));
      overlap = undefined;
      word = undefined;
    }
    if (field.overlaps && overlap === undefined) {
      overlap = { start: fresh("start"), size: overlapSize(field, context.place), field };
      statements.push(code`const ${overlap.start} = ${current}.offset;`);
    } else if (overlap !== undefined && isVisible(field) && word?.holds(field, true) !== true) {
      statements.push(moveTo(field, overlap, current));
    }
    const site: ReadSite = { context, formulas, reader: current, fresh };
    const shape = shapeOf(field, scope);
    if (field.bits !== null && shape.kind === "scalar") {
      if (!word?.holds(field)) {
        word = newWord(field, shape.scalar, fresh);
        const when = wordCondition(wordAt(fields, index));
        const value = readScalar(shape.scalar, current);
        wordTest = when === null ? undefined : code`${word.name} === undefined`;
        const read = when === null ? value : code`${condition(when, formulas)} ? ${value} : undefined`;
        statements.push(code`const ${word.name} = ${read};`);
      }
      if (!isVisible(field)) continue;
      const local = fresh(propertyName(field));
      const bits = word.extract(field);
      const value = interpret(shape.meaning.kind === "signed" ? code`(${bits})` : bits, shape, scope, field.bits.width);
      statements.push(
        code`const ${local} = ${wordTest === undefined ? value : code`${wordTest} ? undefined : ${value}`};`,
      );
      locals.set(field, code`${local}`);
      properties.push(propertyOf(field, local));
      continue;
    }
    word = undefined;
    for (const forward of forwardFields(fields, index, scope, context.place)) {
      if (!known.has(forward.field)) statements.push(...lookAhead(forward, site, locals, numbers));
      known.add(forward.field);
    }
    const ahead = known.has(field) ? locals.get(field) : undefined;
    if (ahead !== undefined) {
      statements.push(code`${current}.skip(${fixedSize(shape) ?? 0});`);
      if (isVisible(field)) properties.push(propertyOf(field, render(ahead).text));
      continue;
    }
    if (field.reserved) {
      if (!field.overlaps) statements.push(skip(field, shape, site));
      continue;
    }
    // A count is a number for formulas only, and so is an enum that a formula uses.
    if (
      shape.kind === "scalar" &&
      shape.meaning.kind === "enum" &&
      referred.has(field.name) &&
      !isOptional(field, shape)
    ) {
      const number = fresh(`${propertyName(field)}Number`);
      statements.push(code`const ${number} = ${readScalar(shape.scalar, current)};`);
      numbers.set(field.name, { code: code`${number}`, type: isWide(shape, field) ? "bigint" : "number" });
      if (!isVisible(field)) continue;
      const local = fresh(propertyName(field));
      statements.push(code`const ${local} = ${interpret(code`${number}`, shape, scope)};`);
      locals.set(field, code`${local}`);
      properties.push(propertyOf(field, local));
    } else {
      const { local, setup } = readField(field, shape, site);
      statements.push(...setup);
      if (shape.kind === "scalar" && shape.meaning.kind !== "enum") {
        const wide = isWide(shape, field);
        const missing = isOptional(field, shape);
        // Those that may be missing are looked up with the others, but for counts: nobody else has them.
        if (!missing || !isVisible(field)) {
          const number = missing ? code`(${local} ?? ${wide ? "0n" : "0"})` : code`${local}`;
          numbers.set(field.name, { code: number, type: wide ? "bigint" : "number" });
        }
      }
      locals.set(field, code`${local}`);
      if (isVisible(field)) properties.push(propertyOf(field, local));
    }
  }
  if (overlap !== undefined) statements.push(...endOverlap(overlap, current, formulas));
  return { statements, properties, formulas };
}

/** Reads a number that is behind the reader's position, and goes back. */
function lookAhead(
  { field, distance }: ForwardField,
  site: ReadSite,
  locals: Map<FieldModel, Code>,
  numbers: Map<string, Value>,
): Code[] {
  const shape = shapeOf(field, site.context.scope);
  if (shape.kind !== "scalar") return [];
  const { reader } = site;
  const start = site.fresh(`${propertyName(field)}From`);
  const number = site.fresh(`${propertyName(field)}Number`);
  const local = site.fresh(propertyName(field));
  locals.set(field, code`${local}`);
  numbers.set(field.name, { code: code`${number}`, type: isWide(shape, field) ? "bigint" : "number" });
  return [
    code`const ${start} = ${reader}.offset;`,
    code`${reader}.skip(${distance});`,
    code`const ${number} = ${readScalar(shape.scalar, reader)};`,
    code`${reader}.offset = ${start};`,
    code`const ${local} = ${interpret(code`${number}`, shape, site.context.scope)};`,
  ];
}

export interface ReaderChange {
  readonly statements: readonly Code[];
  readonly reader: string;
}

function propertyOf(field: FieldModel, local: string): Code {
  const name = propertyName(field);
  return name === local ? code`${name}` : code`${name}: ${local}`;
}

/** The variable in a property such as `name` or `name: variable`. */
export function localOf(property: Code | undefined): string {
  const text = property?.parts.map((part) => (typeof part === "string" ? part : "")).join("") ?? "";
  const colon = text.indexOf(": ");
  return colon < 0 ? text : text.slice(colon + 2);
}

/** Reads a field into a variable. */
function readField(
  field: FieldModel,
  shape: Shape,
  site: ReadSite,
): { readonly local: string; readonly setup: readonly Code[] } {
  const { scope, owner, place } = site.context;
  const test = presence(field, site);
  if (test === undefined) {
    const read = sizedRead(field, shape, site);
    if (read.variable !== undefined) return { local: read.variable, setup: read.setup };
    const local = site.fresh(propertyName(field));
    return { local, setup: [...read.setup, code`const ${local} = ${read.value};`] };
  }
  const local = site.fresh(propertyName(field));
  const read = sizedRead(field, shape, site);
  if (read.setup.length === 0) return { local, setup: [code`const ${local} = ${test} ? ${read.value} : undefined;`] };
  if (field.sizedTree !== null && shape.kind !== "struct")
    throw new EmitError("a conditional part of this kind", `${place}.${field.name}`);
  return {
    local,
    setup: [
      code`let ${local}: ${variableType(shape, field, owner, scope)} | undefined;`,
      code`if (${test}) { ${read.setup} ${local} = ${read.value}; }`,
    ],
  };
}

/** The condition under which a field is there, if it is not always. */
function presence(field: FieldModel, site: ReadSite): Code | undefined {
  if (field.optional) return code`${site.reader}.remaining > ${tailSize(field, site)}`;
  if (field.conditionTree === null || !field.moves) return undefined;
  return condition(field.conditionTree, site.formulas);
}

function variableType(shape: Shape, field: FieldModel, owner: string, scope: CodecContext["scope"]): Code {
  return shape.kind === "array"
    ? code`${elementType(shape.of, field, owner, scope)}[]`
    : typeOf(shape, field, owner, scope);
}

function skip(field: FieldModel, shape: Shape, site: ReadSite): Code {
  const size = field.size ?? fixedSize(shape);
  if (shape.kind === "bytes" && shape.length.kind === "rest")
    return code`${site.reader}.skip(${lengthOf(shape.length, field, site)});`;
  const length = size ?? reservedBytes(field, shape, { ...site.context, formulas: site.formulas });
  const statement = code`${site.reader}.skip(${length});`;
  if (field.conditionTree === null || !field.moves) return statement;
  return code`if (${condition(field.conditionTree, site.formulas)}) ${statement}`;
}
