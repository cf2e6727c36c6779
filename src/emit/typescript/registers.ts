import type { FieldModel, RegistersModel, ScalarType, StructModel } from "../../model/device-model.js";
import { code, hexadecimal, nothing, paragraphs, propertyKey, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { EmitError } from "./emit-error.js";
import { camelCase, constantCase, pascalCase } from "./names.js";
import { scalarSize } from "./shapes.js";
import { isVisible } from "./struct-types.js";

/** Places of registers, and a class that reads and writes them. */
export function registerBlock(registers: RegistersModel, scope: DeviceScope): Code {
  const name = scope.prefix + pascalCase(registers.name);
  const fields = registers.fields.filter(isVisible);
  return paragraphs([
    code`${docComment(registers, "Places of the registers, in bytes.")}export const ${name}Register = {
      ${fields.map((field) => code`${registerDoc(field)}${propertyKey(constantCase(field.name))}: ${hexadecimal(field.offset ?? 0)},`)}
    } as const;`,
    code`${docComment({ doc: `What a driver reads and writes of {@link ${name}Register}; \`view\` begins at the first one.` })}export class ${name}Registers {
      readonly #view: DataView;

      constructor(view: DataView) {
        this.#view = view;
      }

      ${fields.map((field) => accessors(field, `${scope.device.name}.${registers.name}.${field.name}`))}
    }`,
  ]);
}

/** Places of a struct's fields, if all of them are fixed: for those who look at single fields in memory. */
export function fieldOffsets(struct: StructModel, scope: DeviceScope): Code {
  const fields = struct.fields.filter((field) => !field.reserved && field.bits === null);
  const isFixed = struct.size !== null && !struct.anonymous && fields.every((field) => field.offset !== null);
  if (!isFixed || fields.length < 2) return nothing;
  const name = scope.typeName(struct);
  return code`/** Places of the fields of a {@link ${name}}, in bytes. */
    export const ${name}Offset = {
      ${fields.map((field) => code`${propertyKey(constantCase(field.name))}: ${hexadecimal(field.offset ?? 0)},`)}
    } as const;`;
}

function registerDoc(field: FieldModel): Code {
  const access = { ro: "Read-only.", rw: "", wo: "Write-only.", w1c: "Writing a 1 clears." }[field.access];
  const condition = field.condition === null ? "" : `Only if ${field.condition}.`;
  const notes = [access, condition].filter((note) => note !== "").join(" ");
  return docComment({ doc: field.doc, since: field.since, was: field.was }, notes);
}

function accessors(field: FieldModel, place: string): Code {
  const { type } = field;
  const scalar = typeof type === "string" ? scalarOf(type) : undefined;
  if (scalar === undefined || field.bits !== null) throw new EmitError("a register that is no plain number", place);
  const offset = hexadecimal(field.offset ?? 0);
  const size = scalarSize(scalar);
  const method = size === 8 ? "BigUint64" : `Uint${String(8 * size)}`;
  const order = size === 1 ? nothing : scalar.startsWith("be") ? code`, false` : code`, true`;
  const valueType = size === 8 ? "bigint" : "number";
  const name = camelCase(field.name);
  const getter = code`get ${name}(): ${valueType} {
    return this.#view.get${method}(${offset}${order});
  }`;
  const setter = code`set ${name}(value: ${valueType}) {
    this.#view.set${method}(${offset}, value${order});
  }`;
  const doc = registerDoc(field);
  switch (field.access) {
    case "ro":
      return code`${doc}${getter}`;
    case "wo":
      return code`${doc}${setter}`;
    default:
      return code`${doc}${getter}
        ${setter}`;
  }
}

const scalars: readonly ScalarType[] = ["u8", "le16", "le32", "le64", "be16", "be32", "be64"];

function scalarOf(type: string): ScalarType | undefined {
  return scalars.find((scalar) => scalar === type);
}
