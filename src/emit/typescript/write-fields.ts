import type { FieldModel, Formula } from "../../model/device-model.js";
import { code, joined, type Code } from "./code.js";
import { codecArguments, type CodecContext } from "./codec-parameters.js";
import { EmitError, unreachable } from "./emit-error.js";
import { valueFunction } from "./enums.js";
import { countedValue, memberAtPath, valueAtPath } from "./field-paths.js";
import { asNumber, condition, count, type FormulaContext } from "./formulas.js";
import { wordAt, wordCondition } from "./bit-fields.js";
import { continuesOverlap, overlapMembers, overlapSize } from "./overlaps.js";
import { scalarMethod } from "./read-scalars.js";
import { runtime } from "./imports.js";
import { newVariable } from "./names.js";
import { chain, matchSubject } from "./read-match.js";
import { fixedSize, isWide, scalarSize, shapeOf, type Length, type Shape } from "./shapes.js";
import { reservedBytes, sizeOfShape, withDefault } from "./size-fields.js";
import { isExhaustive, isOptional, isVisible, patternKind, propertyName } from "./struct-types.js";

/** Expressions that stand in for fields' values, such as the number of a tag. */
export interface WriteOptions {
  /** The writer's variable. */
  readonly writer: string;
  /** Code of a number to write in place of the field's value. */
  readonly constant?: (field: FieldModel) => Code | undefined;
}

/** Formulas over the values of fields. */
export function fieldsFormulas(
  fields: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
): FormulaContext {
  return {
    ...context.formulas,
    field: (where, path) =>
      where === "self" && fields.some((field) => field.name === path[0])
        ? valueAtPath(fields, path, access, context.scope, context.place)
        : context.formulas.field(where, path),
    member: (where, path) =>
      where === "self" && fields.some((field) => field.name === path[0])
        ? memberAtPath(fields, path, access, context.scope)
        : context.formulas.member?.(where, path),
  };
}

/** Statements that write fields one after the other. */
export function writeFields(
  fields: readonly FieldModel[],
  access: (field: FieldModel) => Code,
  context: CodecContext,
  options: WriteOptions = { writer: "writer" },
): Code[] {
  const formulas = fieldsFormulas(fields, access, context);
  const site: WriteSite = {
    context: { ...context, formulas },
    fields,
    access,
    writer: options.writer,
    taken: new Set(),
  };
  const statements: Code[] = [];
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index];
    if (field === undefined) break;
    const shape = shapeOf(field, context.scope);
    if (field.overlaps) {
      statements.push(writeOverlap(fields, index, site));
      while (continuesOverlap(fields, index)) index++;
      continue;
    }
    if (field.bits !== null && shape.kind === "scalar") {
      const word = wordAt(fields, index);
      const when = wordCondition(word);
      const access = (each: FieldModel): Code => maybeMissing(each, site);
      const write = writeWord(word, shape, { ...site, access });
      statements.push(when === null ? write : code`if (${condition(when, formulas)}) { ${write} }`);
      index += word.length - 1;
      continue;
    }
    const constant = options.constant?.(field);
    const statement =
      constant === undefined ? writeField(field, shape, site) : writeNumber(constant, shape, options.writer);
    const test = field.optional
      ? code`${access(field)} !== undefined`
      : field.conditionTree !== null && field.moves && condition(field.conditionTree, formulas);
    statements.push(test === false ? statement : code`if (${test}) { ${statement} }`);
  }
  return statements;
}

/** An anonymous union: the largest member that is there, and zeroes up to its end. */
function writeOverlap(fields: readonly FieldModel[], first: number, site: WriteSite): Code {
  const { context, writer } = site;
  const [field] = fields.slice(first);
  if (field === undefined) throw new EmitError("an anonymous union without members", context.place);
  const size = overlapSize(field, context.place);
  const members = overlapMembers(fields, first)
    .map((member) => ({ member, visible: member.filter(isVisible) }))
    .filter(({ visible }) => visible.length > 0);
  const endOf = (member: readonly FieldModel[]): number =>
    Math.max(...member.map((each) => (each.union?.offset ?? 0) + (each.size ?? 0)));
  const start = members[0]?.visible[0] === undefined ? "start" : `${propertyName(members[0].visible[0])}Start`;
  let body = code``;
  const smallestFirst = members.reverse().sort((left, right) => endOf(left.member) - endOf(right.member));
  for (const { member, visible } of smallestFirst) {
    const tests = visible.map((each) => code`${site.access(each)} !== undefined`);
    const write = memberWrites(member, start, site);
    body = code`if (${joined(tests, " || ")}) { ${write} } ${body.parts.length === 0 ? "" : code`else ${body}`}`;
  }
  const whole = code`const ${start} = ${writer}.offset; ${writer}.zero(${size}); ${body} ${writer}.offset = ${start} + ${size};`;
  const test = field.conditionTree;
  return test === null || !field.moves ? whole : code`if (${condition(test, context.formulas)}) { ${whole} }`;
}

/** What is there of a member of a union, over the zeroes that are there already. */
function memberWrites(member: readonly FieldModel[], start: string, site: WriteSite): Code[] {
  const writes: Code[] = [];
  for (let index = 0; index < member.length; index++) {
    const field = member[index];
    if (field === undefined) break;
    const { scope } = site.context;
    const offset = field.union?.offset ?? 0;
    const move = code`${site.writer}.offset = ${start}${offset === 0 ? "" : ` + ${offset}`};`;
    const shape = shapeOf(field, scope);
    if (field.bits !== null && shape.kind === "scalar") {
      const word = wordAt(member, index);
      const access = (each: FieldModel): Code => defaulted(site.access(each), shapeOf(each, scope), each);
      writes.push(code`${move} ${writeWord(word, shape, { ...site, access })}`);
      index += word.length - 1;
      continue;
    }
    if (!isVisible(field)) continue;
    const value = site.access(field);
    const write = code`${move} ${writeShape(shape, field, value, site)}`;
    writes.push(member.length === 1 ? write : code`if (${value} !== undefined) { ${write} }`);
  }
  return writes;
}

interface WriteSite {
  readonly context: CodecContext;
  readonly fields: readonly FieldModel[];
  readonly access: (field: FieldModel) => Code;
  readonly writer: string;
  /** Variables that the statements have. */
  readonly taken: Set<string>;
  /** Arrays around the value. */
  readonly depth?: number;
}

function writeField(field: FieldModel, shape: Shape, site: WriteSite): Code {
  const { writer, context } = site;
  if (field.reserved && shape.kind === "bytes" && shape.length.kind === "rest") return code``;
  if (field.reserved) {
    const size = field.size ?? fixedSize(shape);
    if (size !== null) return writeReserved(size, writer);
    return code`${writer}.zero(${reservedBytes(field, shape, context)});`;
  }
  if (field.counts !== null && shape.kind === "scalar") {
    const counted =
      byteCount(field, site) ?? countedValue(site.fields, field, site.access, context.scope, context.place);
    return writeNumber(isWide(shape, field) ? code`BigInt(${asNumber(counted)})` : asNumber(counted), shape, writer);
  }
  const optional = !field.optional && isOptional(field, shape);
  const value = site.access(field);
  const body =
    optional && !field.moves && shape.kind === "bytes" && shape.length.kind === "fixed"
      ? code`if (${value} === undefined) ${writer}.zero(${shape.length.count}); else { ${writeShape(shape, field, value, site)} }`
      : writeShape(shape, field, optional ? defaulted(value, shape, field) : value, site);
  if (field.sizedTree === null) return body;
  return sized(body, count(field.sizedTree, context.formulas), site, `${propertyName(field)}End`);
}

/** For a count of bytes: the size of the array's elements together. */
function byteCount(field: FieldModel, site: WriteSite): { readonly code: Code; readonly type: "number" } | undefined {
  const counts = field.counts;
  const counted = counts === null ? undefined : site.fields.find((candidate) => candidate.name === counts.field);
  if (counts === null || counted === undefined) return undefined;
  const shape = shapeOf(counted, site.context.scope);
  const value = isOptional(counted, shape) ? withDefault(site.access(counted), shape) : site.access(counted);
  if (shape.kind === "text" || (shape.kind === "array" && shape.unit === "bytes")) {
    const size = sizeOfShape(unbounded(shape), value, site.context);
    return { code: counts.plus === 0 ? size : code`${size} + ${counts.plus}`, type: "number" };
  }
  return undefined;
}

/** Without its length, which is what is being computed. */
function unbounded(shape: Shape): Shape {
  return shape.kind === "text"
    ? { ...shape, form: shape.form === "padded" ? "exact" : shape.form, length: { kind: "rest" } }
    : shape;
}

/** A bit-field's value, where it may have none. */
function maybeMissing(field: FieldModel, site: WriteSite): Code {
  const shape = shapeOf(field, site.context.scope);
  const value = site.access(field);
  return isVisible(field) && isOptional(field, shape) ? defaulted(value, shape, field) : value;
}

/** A number of the same size is written faster than a run of zeroes. */
function writeReserved(size: number, writer: string): Code {
  switch (size) {
    case 1:
    case 2:
    case 4:
      return code`${writer}.u${8 * size}(0);`;
    default:
      return code`${writer}.zero(${size});`;
  }
}

/** What is written where an optional value is missing. */
function defaulted(value: Code, shape: Shape, field: FieldModel): Code {
  if (shape.kind !== "scalar") return withDefault(value, shape);
  switch (shape.meaning.kind) {
    case "boolean":
      return code`(${value} ?? false)`;
    default:
      return isWide(shape, field) ? code`(${value} ?? 0n)` : code`(${value} ?? 0)`;
  }
}

/** Fills up to a size with zeroes; more than that does not fit. */
export function sized(body: Code, size: Code, site: { readonly writer: string }, name = "end"): Code {
  const { writer } = site;
  return code`const ${name} = ${writer}.offset + ${size};
    ${body}
    if (${writer}.offset > ${name}) ${writer}.fail("length-mismatch");
    ${writer}.zero(Math.max(0, ${name} - ${writer}.offset));`;
}

function writeNumber(number: Code, shape: Shape, writer: string): Code {
  if (shape.kind !== "scalar") throw new EmitError("a constant in place of something that is not a number", writer);
  return code`${writer}.${scalarMethod(shape.scalar)}(${number});`;
}

function writeShape(shape: Shape, field: FieldModel, value: Code, site: WriteSite): Code {
  const { writer } = site;
  switch (shape.kind) {
    case "scalar":
      return writeNumber(numberFor(value, shape, site), shape, writer);
    case "bytes":
      return code`${lengthCheck(shape.length, value, field, site)} ${writer}.bytes(${value});`;
    case "text":
      return writeText(shape, value, field, site);
    case "struct":
      return writeStruct(shape, value, site);
    case "array":
      return writeArray(shape, field, value, site);
    case "match":
      return writeMatch(shape, value, site);
    default:
      return unreachable(shape);
  }
}

function numberFor(
  value: Code,
  shape: Shape & { kind: "scalar" },
  site: WriteSite,
  width = 8 * scalarSize(shape.scalar),
): Code {
  switch (shape.meaning.kind) {
    case "enum":
      return code`${valueFunction(shape.meaning.enum, site.context.scope)}(${value})`;
    case "boolean":
      return code`Number(${value})`;
    case "signed":
      return code`${runtime("unsignedBits")}(${value}, ${width})`;
    default:
      return value;
  }
}

/** A length that the layout gives must be that of the value, unless it is written from the value. */
function lengthCheck(length: Length, value: Code, field: FieldModel, site: WriteSite): Code {
  switch (length.kind) {
    case "rest":
      return code``;
    case "fixed":
      return code`if (${value}.length !== ${length.count}) ${site.writer}.fail("length-mismatch");`;
    case "formula":
      if (isCountedBy(length.formula, field, site.fields)) return code``;
      return code`if (${value}.length !== ${count(length.formula, site.context.formulas)}) ${site.writer}.fail("length-mismatch");`;
  }
}

/** Does the length come from a field that is itself written from this array's length? */
function isCountedBy(formula: Formula, field: FieldModel, fields: readonly FieldModel[]): boolean {
  let found = false;
  const visit = (part: Formula): void => {
    if (part.op === "field" && part.scope === "self" && part.path.length === 1) {
      const counter = fields.find((candidate) => candidate.name === part.path[0]);
      if (counter?.counts?.field === field.name) found = true;
    }
    if (part.op === "binary") {
      visit(part.left);
      visit(part.right);
    }
  };
  visit(formula);
  return found;
}

function writeText(shape: Shape & { kind: "text" }, value: Code, field: FieldModel, site: WriteSite): Code {
  const { length, form } = shape;
  const free = length.kind === "rest" || (length.kind === "formula" && isCountedBy(length.formula, field, site.fields));
  const size = free
    ? undefined
    : length.kind === "fixed"
      ? code`${length.count}`
      : count(length.formula, site.context.formulas);
  if (form === "list") return code`${site.writer}.textList(${value}${size === undefined ? "" : code`, ${size}`});`;
  // Without a length, all of the text and nothing else.
  if (size === undefined && form === "exact")
    return code`${site.writer}.text(${value}, ${runtime("textSize")}(${value}), "exact");`;
  return code`${site.writer}.text(${value}, ${size ?? "undefined"}, "${form}");`;
}

function writeStruct(shape: Shape & { kind: "struct" }, value: Code, site: WriteSite): Code {
  const { context, writer } = site;
  return code`write${context.scope.typeName(shape.struct)}(${writer}, ${value}${codecArguments(shape.struct, shape.arguments, context)});`;
}

function writeArray(shape: Shape & { kind: "array" }, field: FieldModel, value: Code, site: WriteSite): Code {
  // An array inside of an array needs a variable of its own.
  const depth = (site.depth ?? 0) + 1;
  const name = depth === 1 ? "element" : `element${depth}`;
  const inner = writeShape(shape.of, field, code`${name}`, { ...site, fields: [], depth });
  const element = shape.stride === null ? inner : sized(inner, count(shape.stride, site.context.formulas), site);
  const loop = code`for (const ${name} of ${value}) { ${element} }`;
  if (shape.unit === "elements") return code`${lengthCheck(shape.length, value, field, site)} ${loop}`;
  if (shape.length.kind === "rest") return loop;
  if (shape.length.kind === "formula" && isCountedBy(shape.length.formula, field, site.fields)) return loop;
  const size =
    shape.length.kind === "fixed" ? code`${shape.length.count}` : count(shape.length.formula, site.context.formulas);
  return code`{
    const end = ${site.writer}.offset + ${size};
    ${loop}
    if (${site.writer}.offset ${shape.ends === null ? "!==" : ">"} end) ${site.writer}.fail("length-mismatch");
    ${shape.ends !== null && code`${site.writer}.zero(Math.max(0, end - ${site.writer}.offset));`}
  }`;
}

/** The tag, which is written elsewhere, says which arm's value there has to be. */
function writeMatch(shape: Shape & { kind: "match" }, value: Code, site: WriteSite): Code {
  const { context, writer, taken } = site;
  const dot = isExhaustive(shape.arms) ? "." : "?.";
  const cases: Code[] = [];
  let otherwise: Code | undefined;
  const { setup, tag, label } = matchSubject(shape, context.formulas, (name) => newVariable(name, taken));
  const ranges: Code[] = [];
  for (const arm of shape.arms) {
    const write = (test: Code): Code => {
      if (arm.struct.fields.length === 0) return code``;
      const armShape: Shape & { kind: "struct" } = {
        kind: "struct",
        struct: arm.struct,
        arguments: arm.model.arguments,
      };
      const statement = writeStruct(armShape, value, site);
      return code`if (${test}) ${statement} else ${writer}.fail("bad-value");`;
    };
    if (arm.model.patterns.length === 0) otherwise = write(code`${value}${dot}kind === "default"`);
    for (const pattern of arm.model.patterns) {
      if (pattern.low !== pattern.high) {
        ranges.push(
          code`if (${tag} >= ${pattern.low} && ${tag} <= ${pattern.high}) { ${write(code`${value}${dot}kind === ${patternKind(pattern)}`)} }`,
        );
        continue;
      }
      const kind = patternKind(pattern);
      cases.push(code`case ${label(pattern)}: ${write(code`${value}${dot}kind === ${kind}`)} break;`);
    }
  }
  return code`${setup}
    switch (${tag}) { ${cases} default: ${chain(ranges, otherwise)} break; }`;
}

function writeWord(word: readonly FieldModel[], shape: Shape & { kind: "scalar" }, site: WriteSite): Code {
  const wide = scalarSize(shape.scalar) === 8;
  const parts: Code[] = [];
  const checks: Code[] = [];
  for (const field of word) {
    if (!isVisible(field) || field.bits === null) continue;
    const fieldShape = shapeOf(field, site.context.scope);
    if (fieldShape.kind !== "scalar") continue;
    const { shift, width } = field.bits;
    const number = numberFor(site.access(field), fieldShape, site, width);
    if (fieldShape.meaning.kind !== "boolean")
      checks.push(rangeCheck(number, width, isWide(fieldShape, field), site.writer));
    if (wide) {
      const bits = isWide(fieldShape, field) ? number : code`BigInt(${number})`;
      parts.push(shift === 0 ? bits : code`(${bits} << ${shift}n)`);
    } else parts.push(shift === 0 ? number : code`(${number} * 2 ** ${shift})`);
  }
  const zero = wide ? "0n" : "0";
  const value = parts.length === 0 ? code`${zero}` : joined(parts, " + ");
  return code`${checks} ${site.writer}.${scalarMethod(shape.scalar)}(${value});`;
}

function rangeCheck(number: Code, width: number, wide: boolean, writer: string): Code {
  const limit = wide ? code`${2n ** BigInt(width)}` : code`${2 ** width}`;
  const zero = wide ? "0n" : "0";
  return code`if (!(${number} >= ${zero} && ${number} < ${limit})) ${writer}.fail("out-of-range");`;
}
