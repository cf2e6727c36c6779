import type { FieldModel, StructModel } from "../../model/device-model.js";
import { code, joined, type Code } from "./code.js";
import { codecParameters, formulaContext, type CodecContext } from "./codec-parameters.js";
import { extractBits } from "./bit-fields.js";
import { referredFields, type DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { condition, count } from "./formulas.js";
import { runtimeType } from "./imports.js";
import { freeName, newVariable, parameterName, pascalCase } from "./names.js";
import { readFields, type ReaderChange } from "./read-fields.js";
import { interpret } from "./read-scalars.js";
import { passError, readShape } from "./read-values.js";
import { fixedSize, scalarSize, shapeOf, type Shape } from "./shapes.js";
import { headerSizeArguments, sizeFunction } from "./size-fields.js";
import { isVisible, propertyName, typeOf } from "./struct-types.js";

/** Context of the functions of a struct: everything comes in as parameters. */
export function structContext(struct: StructModel, scope: DeviceScope): CodecContext {
  const place = `${scope.device.name}.${struct.specName}`;
  const features = (): Code => code`features`;
  const config = (): Code => code`config`;
  return {
    scope,
    place,
    owner: scope.typeName(struct),
    features,
    config,
    formulas: formulaContext(scope, place, { features, config, parameters: struct.parameters }),
    tailOf: (field) => tailSize(struct.fields, field, scope, place),
  };
}

/** Bytes of the fields behind a part that takes the rest of the stream; they must be of fixed size. */
export function tailSize(fields: readonly FieldModel[], field: FieldModel, scope: DeviceScope, place: string): number {
  let total = 0;
  let last: FieldModel | undefined;
  for (const next of fields.slice(fields.indexOf(field) + 1)) {
    const lastBits = last?.bits ?? null;
    if (next.bits !== null && lastBits !== null && next.bits.shift > lastBits.shift && next.type === last?.type)
      continue;
    last = next;
    const size = next.size ?? fixedSize(shapeOf(next, scope));
    if (size === null || next.optional || (next.conditionTree !== null && next.moves)) {
      throw new EmitError("a part of variable size behind a part that takes the rest", `${place}.${next.name}`);
    }
    total += size;
  }
  return total;
}

/** `readBlkLifetime(reader)`: the value of a struct. */
export function structReader(struct: StructModel, scope: DeviceScope): Code {
  const name = scope.typeName(struct);
  const context = structContext(struct, scope);
  const body =
    struct.kind === "union"
      ? unionBody(struct, context)
      : struct.kind === "header"
        ? headerBody(struct, context)
        : structBody(struct, context);
  const reader = { name: "reader", type: runtimeType("ByteReader") };
  return code`/** Reads a {@link ${name}}. If the bytes do not hold one, \`reader.error\` tells why, and the value means nothing. */
    export function read${name}(${codecParameters([reader], struct, scope, body)}): ${name} {
      ${body}
    }`;
}

function structBody(struct: StructModel, context: CodecContext): Code {
  if (isFlat(struct, context.scope)) return flatBody(struct, context);
  if (struct.sizedTree !== null) return sizedBody(struct, context);
  const { statements, properties } = readFields(struct.fields, context);
  return code`${statements} return { ${joined(properties, ", ")} };`;
}

/** Nothing but numbers at known places: one check, then constant offsets. */
function isFlat(struct: StructModel, scope: DeviceScope): boolean {
  return (
    struct.kind === "struct" &&
    struct.size !== null &&
    struct.size > 0 &&
    struct.size <= 4096 &&
    hasFlatFields(struct, scope)
  );
}

function hasFlatFields(struct: StructModel, scope: DeviceScope): boolean {
  if (struct.kind !== "struct" || struct.sizedTree !== null || struct.parameters.length > 0) return false;
  return struct.fields.every((field) => {
    if (
      field.offset === null ||
      field.conditionTree !== null ||
      field.sizedTree !== null ||
      field.counts !== null ||
      field.overlaps
    )
      return false;
    if (field.reserved) return true;
    const shape = shapeOf(field, scope);
    return (
      shape.kind === "scalar" ||
      (shape.kind === "struct" && shape.struct.size !== null && hasFlatFields(shape.struct, scope))
    );
  });
}

function flatBody(struct: StructModel, context: CodecContext): Code {
  return code`const at = reader.take(${struct.size ?? 0});
    const { view } = reader;
    return ${flatObject(struct, 0, context)};`;
}

function flatObject(struct: StructModel, base: number, context: CodecContext): Code {
  const properties = struct.fields.filter(isVisible).map((field) => {
    const shape = shapeOf(field, context.scope);
    const offset = base + (field.offset ?? 0);
    if (shape.kind === "struct") return code`${propertyName(field)}: ${flatObject(shape.struct, offset, context)}`;
    if (shape.kind !== "scalar") throw new EmitError("a struct of this shape", context.place);
    return code`${propertyName(field)}: ${fieldAt(code`view`, at(offset), field, shape, context.scope)}`;
  });
  return code`{ ${joined(properties, ", ")} }`;
}

function at(offset: number | null): Code {
  return offset === 0 || offset === null ? code`at` : code`at + ${offset}`;
}

/** A number at a place in a DataView, as the value that it stands for. */
export function fieldAt(
  view: Code,
  offset: Code,
  field: FieldModel,
  shape: Shape & { kind: "scalar" },
  scope: DeviceScope,
): Code {
  const number = numberAt(view, offset, shape);
  if (field.bits === null) return interpret(number, shape, scope);
  const bits = extractBits(number, field, shape.scalar);
  return interpret(shape.meaning.kind === "signed" ? code`(${bits})` : bits, shape, scope, field.bits.width);
}

/** `view.getUint32(at + 4, true)`. */
export function numberAt(view: Code, offset: Code, shape: Shape & { kind: "scalar" }): Code {
  const order = shape.scalar.startsWith("be") ? "" : ", true";
  switch (scalarSize(shape.scalar)) {
    case 1:
      return code`${view}.getUint8(${offset})`;
    case 2:
      return code`${view}.getUint16(${offset}${order})`;
    case 4:
      return code`${view}.getUint32(${offset}${order})`;
    case 8:
      return code`${view}.getBigUint64(${offset}${order})`;
  }
}

/** The struct has so many bytes, whatever is in it; the number may be in one of its first fields. */
function sizedBody(struct: StructModel, context: CodecContext): Code {
  const { sizedTree } = struct;
  if (sizedTree === null) return code``;
  const referred = referredFields([], sizedTree);
  const lastReferred = struct.fields.reduce((last, field, index) => (referred.has(field.name) ? index : last), -1);
  const change = struct.fields[lastReferred + 1];
  const { statements, properties, formulas } = readFields(
    struct.fields,
    context,
    "reader",
    (field, known): ReaderChange | undefined => {
      if (field !== change) return undefined;
      const size = count(sizedTree, known);
      const left = lastReferred < 0 ? size : code`start + ${size} - reader.offset`;
      return { statements: [code`const body = reader.window(${left});`], reader: "body" };
    },
  );
  const all =
    change === undefined ? code`reader.offset = start + ${count(sizedTree, formulas)};` : passError("body", "reader");
  const start = lastReferred < 0 ? code`` : code`const start = reader.offset;`;
  return code`${start} ${statements} ${all} return { ${joined(properties, ", ")} };`;
}

/** Every field of a union is read from the same place. */
function unionBody(union: StructModel, context: CodecContext): Code {
  const struct = apart(union);
  const { sizedTree } = struct;
  if (struct.size === null && sizedTree === null) throw new EmitError("a union without a size", context.place);
  const referred = referredFields([], sizedTree);
  const lastReferred = struct.fields.reduce((last, field, index) => (referred.has(field.name) ? index : last), -1);
  let reader = "reader";
  const { statements, properties, formulas } = readFields(
    struct.fields,
    { ...context, tailOf: () => 0 },
    "reader",
    (field, known): ReaderChange | undefined => {
      const index = struct.fields.indexOf(field);
      const offset = field.union?.offset ?? 0;
      const changes: Code[] =
        index === 0
          ? [code`const start = reader.offset;`]
          : [code`${reader}.offset = start${offset === 0 ? "" : ` + ${offset}`};`];
      if (sizedTree !== null && index === lastReferred + 1) {
        reader = "body";
        changes.push(code`const body = reader.window(${count(sizedTree, known)});`);
      }
      return { statements: changes, reader };
    },
  );
  const size = sizedTree === null ? code`${struct.size ?? 0}` : count(sizedTree, formulas);
  const end = reader === "body" ? passError("body", "reader") : code`reader.offset = start; reader.skip(${size});`;
  return code`${statements} ${end} return { ${joined(properties, ", ")} };`;
}

/** Its members one by one: that they overlap is what a union's own code sees to. */
export function apart(union: StructModel): StructModel {
  return { ...union, fields: union.fields.map((field) => ({ ...field, overlaps: false })) };
}

/** Only as much as was negotiated is there. */
function headerBody(struct: StructModel, context: CodecContext): Code {
  const { scope } = context;
  const parts: Code[] = [];
  const properties: Code[] = [];
  const gates = headerGates(struct, context);
  const length = headerSizeName(struct);
  const taken = new Set([length, ...[...gates.values()].map((gate) => gate.name)]);
  for (const field of struct.fields) {
    if (!isVisible(field)) continue;
    if (field.offset === null)
      throw new EmitError("a header with a field of variable place", `${context.place}.${field.name}`);
    const shape = shapeOf(field, scope);
    const property = propertyName(field);
    const present = gates.get(field.condition)?.name;
    const choose = (value: Code): Code => (present === undefined ? value : code`${present} ? ${value} : undefined`);
    if (shape.kind === "scalar") {
      properties.push(code`${property}: ${choose(fieldAt(code`view`, at(field.offset), field, shape, scope))}`);
      continue;
    }
    const name = newVariable(property, taken);
    const site = { context, formulas: context.formulas, reader: "reader", fresh: (variable: string) => variable };
    const read = readShape(shape, field, site, name);
    if (read.setup.length > 0)
      throw new EmitError("a header with a part of this kind", `${context.place}.${field.name}`);
    const move = code`reader.offset = ${at(field.offset)};`;
    if (present === undefined) parts.push(move, code`const ${name} = ${read.value};`);
    else {
      const type = typeOf(shape, field, context.owner, scope);
      parts.push(code`let ${name}: ${type} | undefined;`, code`if (${present}) { ${move} ${name} = ${read.value}; }`);
    }
    properties.push(name === property ? code`${name}` : code`${property}: ${name}`);
  }
  const size = code`${sizeFunction(struct, scope)}(${headerSizeArguments(struct, parameterFormulas(struct), context)})`;
  // The parts in between move the reader about; it ends behind the header in any case.
  const end = parts.length === 0 ? code`` : code`reader.offset = at + ${length};`;
  return code`${[...gates.values()].map((gate) => code`const ${gate.name} = ${gate.test};`)}
    const ${length} = ${size};
    const at = reader.take(${length});
    const { view } = reader;
    ${parts} ${end}
    return { ${joined(properties, ", ")} };`;
}

/** The variable with a header's bytes, which may have a parameter that is called like it. */
export function headerSizeName(struct: StructModel): string {
  return freeName("size", new Set(struct.parameters.map(parameterName)));
}

/** Conditions of a header's fields, each worked out once and called after the first field that it is for. */
function headerGates(
  struct: StructModel,
  context: CodecContext,
): ReadonlyMap<string | null, { name: string; test: Code }> {
  const gates = new Map<string | null, { name: string; test: Code }>();
  for (const field of struct.fields) {
    if (!isVisible(field) || field.conditionTree === null || gates.has(field.condition)) continue;
    gates.set(field.condition, {
      name: `has${pascalCase(field.name)}`,
      test: condition(field.conditionTree, context.formulas),
    });
  }
  return gates;
}

/** A struct's own parameters, to be handed on. */
export function parameterFormulas(struct: StructModel): { readonly op: "parameter"; readonly name: string }[] {
  return struct.parameters.map((name) => ({ op: "parameter", name }));
}
