import type { FieldModel, Formula } from "../../model/device-model.js";
import { code, type Code } from "./code.js";
import { codecArguments, type CodecContext } from "./codec-parameters.js";
import { EmitError, unreachable } from "./emit-error.js";
import { valueAtPath } from "./field-paths.js";
import { condition, count, type FormulaContext } from "./formulas.js";
import { readMatch } from "./read-match.js";
import { interpret, readScalar } from "./read-scalars.js";
import { minimumSize, takesRest, type Length, type Shape } from "./shapes.js";
import { elementType, propertyName } from "./struct-types.js";

/** What it takes to read one value: statements before it, and the expression. */
export interface ReadValue {
  readonly setup: readonly Code[];
  readonly value: Code;
  /** The variable that the statements put it into, if they do. */
  readonly variable?: string;
}

/** Reads single values; made once for a list of fields. */
export interface ReadSite {
  readonly context: CodecContext;
  readonly formulas: FormulaContext;
  /** Name of the variable with the reader. */
  readonly reader: string;
  /** A name for a variable that nobody else has. */
  fresh(name: string): string;
}

/** `sized`: the field has so many bytes, whatever is in it. */
export function sizedRead(field: FieldModel, shape: Shape, site: ReadSite): ReadValue {
  if (shape.kind === "bytes" && shape.length.kind !== "fixed" && site.context.window !== undefined) {
    if (shape.length.kind === "rest") return readShape(shape, field, site, propertyName(field));
    return { setup: [], value: site.context.window(field, lengthOf(shape.length, field, site)) };
  }
  const nested = shape.kind === "struct" || shape.kind === "match";
  const tail = field.sizedTree === null && nested && takesRest(shape, site.context.scope) ? tailSize(field, site) : 0;
  if (field.sizedTree === null && tail === 0) return readShape(shape, field, site, propertyName(field));
  const size =
    field.sizedTree === null ? code`${site.reader}.remaining - ${tail}` : count(field.sizedTree, site.formulas);
  const part = site.fresh(`${propertyName(field)}Bytes`);
  const inner = readShape(shape, field, { ...site, reader: part }, propertyName(field));
  const result = inner.variable ?? site.fresh(propertyName(field));
  return {
    setup: [
      code`const ${part} = ${site.reader}.window(${size});`,
      ...inner.setup,
      inner.variable === undefined && code`const ${result} = ${inner.value};`,
      passError(part, site.reader),
    ].filter((statement) => statement !== false),
    value: code`${result}`,
    variable: result,
  };
}

/** A mistake inside a window is one of the whole. */
export function passError(from: string, to: string): Code {
  return code`if (${from}.error !== undefined) ${to}.fail(${from}.error.rule);`;
}

/** Reads a value of this shape at the reader's position. */
export function readShape(shape: Shape, field: FieldModel, site: ReadSite, name: string): ReadValue {
  const { context, reader } = site;
  switch (shape.kind) {
    case "scalar":
      return { setup: [], value: interpret(readScalar(shape.scalar, reader), shape, context.scope) };
    case "bytes":
      return { setup: [], value: code`${reader}.bytes(${lengthOf(shape.length, field, site)})` };
    case "text": {
      const length = lengthOf(shape.length, field, site);
      return {
        setup: [],
        value:
          shape.form === "list"
            ? code`${reader}.textList(${length})`
            : code`${reader}.text(${length}, "${shape.form}")`,
      };
    }
    case "struct": {
      const inner = { ...context, formulas: site.formulas };
      return {
        setup: [],
        value: code`read${context.scope.typeName(shape.struct)}(${reader}${codecArguments(shape.struct, shape.arguments, inner)})`,
      };
    }
    case "array":
      return readArray(shape, field, site, name);
    case "match":
      return readMatch(shape, field, site, name);
    default:
      return unreachable(shape);
  }
}

/** Number of elements or bytes, as an expression. */
export function lengthOf(length: Length, field: FieldModel, site: ReadSite): Code {
  switch (length.kind) {
    case "fixed":
      return code`${length.count}`;
    case "formula":
      return count(length.formula, site.formulas);
    case "rest": {
      const tail = tailSize(field, site);
      return tail === 0 ? code`${site.reader}.remaining` : code`${site.reader}.remaining - ${tail}`;
    }
  }
}

/** Bytes between the end of a rest part and the end of the stream: those of the fields behind it. */
export function tailSize(field: FieldModel, site: ReadSite): number {
  return field.sizedTree === null ? (site.context.tailOf?.(field) ?? 0) : 0;
}

function readArray(shape: Shape & { kind: "array" }, field: FieldModel, site: ReadSite, name: string): ReadValue {
  const { context, reader } = site;
  const list = site.fresh(name);
  const declaration = code`const ${list}: ${elementType(shape.of, field, context.owner, context.scope)}[] = [];`;
  const elements = shape.unit === "bytes" ? site.fresh(`${name}Bytes`) : reader;
  const element = readElement(shape, field, { ...site, reader: elements }, name);
  const least = shape.stride === null ? minimumSize(shape.of, context.scope) : 0;
  const body = code`${element.setup} ${element.value}`;
  if (shape.unit === "bytes") {
    requireProgress(shape, site);
    return {
      setup: [
        code`const ${elements} = ${reader}.window(${lengthOf(shape.length, field, site)});`,
        declaration,
        code`while (${elements}.remaining > 0) { ${body} }`,
        passError(elements, reader),
      ],
      value: code`${list}`,
      variable: list,
    };
  }
  switch (shape.length.kind) {
    case "rest": {
      requireProgress(shape, site);
      return {
        setup: [declaration, code`while (${reader}.remaining > ${tailSize(field, site)}) { ${body} }`],
        value: code`${list}`,
        variable: list,
      };
    }
    case "fixed":
      return {
        setup: [declaration, code`for (let left = ${shape.length.count}; left > 0; left--) { ${body} }`],
        value: code`${list}`,
        variable: list,
      };
    case "formula": {
      const limit = code`${reader}.count(${count(shape.length.formula, site.formulas)}, ${least})`;
      return {
        setup: [declaration, code`for (let left = ${limit}; left > 0; left--) { ${body} }`],
        value: code`${list}`,
        variable: list,
      };
    }
  }

  function readElement(array: Shape & { kind: "array" }, owner: FieldModel, at: ReadSite, base: string): ReadValue {
    const strided = array.stride === null ? undefined : at.fresh("part");
    const inner = readShape(array.of, owner, strided === undefined ? at : { ...at, reader: strided }, `${base}Element`);
    const before =
      strided === undefined
        ? []
        : [code`const ${strided} = ${at.reader}.window(${count(array.stride ?? zero, at.formulas)});`];
    const after = strided === undefined ? [] : [passError(strided, at.reader)];
    if (array.ends === null && after.length === 0)
      return { setup: [...before, ...inner.setup], value: code`${list}.push(${inner.value});` };
    const last = at.fresh("element");
    const stop =
      array.ends === null ? [] : [code`if (${condition(array.ends, elementContext(array.of, last, at))}) break;`];
    return {
      setup: [...before, ...inner.setup, code`const ${last} = ${inner.value};`, ...after],
      value: code`${list}.push(${last}); ${stop}`,
    };
  }
}

const zero: Formula = { op: "number", value: 0 };

/** In the condition that ends an array, fields are those of the element. */
function elementContext(shape: Shape, element: string, site: ReadSite): FormulaContext {
  return {
    ...site.formulas,
    field: (where, path) => {
      if (where === "self" && shape.kind === "struct") {
        const fields = shape.struct.fields;
        if (fields.some((field) => field.name === path[0])) {
          return valueAtPath(
            fields,
            path,
            (field) => code`${element}.${propertyName(field)}`,
            site.context.scope,
            site.context.place,
          );
        }
      }
      return site.formulas.field(where, path);
    },
  };
}

/** Elements that may be empty would be read for ever. */
function requireProgress(shape: Shape & { kind: "array" }, site: ReadSite): void {
  if (shape.stride === null && minimumSize(shape.of, site.context.scope) === 0) {
    throw new EmitError("an array up to the end whose elements may be empty", site.context.place);
  }
}
