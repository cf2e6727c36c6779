import type { FieldModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, type Code } from "./code.js";
import { configContext, configFields, configOffset, configSizeName, isReadable, isWritable } from "./config-fields.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { writeType } from "./enums.js";
import { condition } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { readFields } from "./read-fields.js";
import { fixedSize, shapeOf, type Shape } from "./shapes.js";
import { fieldDoc, propertyName, typeOf } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";
import { writeFields } from "./write-fields.js";

export function driverConfigName(scope: DeviceScope): string {
  return configFields(scope).some(isReadable) ? `${scope.prefix}DriverConfig` : "undefined";
}

/** The configuration as a driver reads it. */
export function driverConfig(scope: DeviceScope): Code {
  const fields = configFields(scope).filter(isReadable);
  if (fields.length === 0) return nothing;
  const name = driverConfigName(scope);
  const context = configContext(scope, code`features`);
  const reads = fields.map((field) => {
    const shape = shapeOf(field, scope);
    const gate = field.conditionTree ?? field.validTree;
    const value = readValue(field, shape, scope);
    return code`${propertyName(field)}: ${gate === null ? value : code`${condition(gate, context.formulas)} ? ${value} : undefined`},`;
  });
  const usesFeatures = fields.some((field) => field.conditionTree !== null || field.validTree !== null);
  return paragraphs([
    code`/** Configuration of the device as the driver last read it. Fields of features that were not negotiated are undefined. */
    export interface ${name} {
      ${fields.map((field) => {
        const type = typeOf(shapeOf(field, scope), field, `${scope.prefix}Config`, scope);
        const gated = field.conditionTree !== null || field.validTree !== null;
        return code`${fieldDoc(field, scope)}readonly ${propertyName(field)}: ${type}${gated ? " | undefined" : ""};`;
      })}
    }`,
    code`/** Decodes the configuration space; \`bytes\` are at least ${configSizeName(scope)} of them. */
    export function read${name}(bytes: Uint8Array, ${usesFeatures ? "features" : "_features"}: ${runtimeType("FeatureSet")}): ${name} {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return { ${reads} };
    }`,
  ]);
}

function readValue(field: FieldModel, shape: Shape, scope: DeviceScope): Code {
  const offset = configOffset(field, scope);
  if (shape.kind === "scalar") return fieldAt(code`view`, code`${offset}`, field, shape, scope);
  const size = field.size ?? fixedSize(shape);
  if (size === null)
    throw new EmitError("a config field of variable size", `${scope.device.name}.config.${field.name}`);
  if (shape.kind === "bytes") return code`bytes.slice(${offset}, ${offset + size})`;
  const reader = code`new ${runtime("ByteReader")}(bytes, ${offset}, ${offset + size})`;
  if (shape.kind === "struct" && shape.struct.parameters.length === 0 && !scope.needs(shape.struct).features) {
    return code`read${scope.typeName(shape.struct)}(${reader})`;
  }
  const plain: FieldModel = { ...field, conditionTree: null };
  const { statements } = readFields([plain], configContext(scope, code`features`));
  return code`((): ${typeOf(shape, field, `${scope.prefix}Config`, scope)} => { const reader = ${reader}; ${statements} return ${propertyName(field)}; })()`;
}

/** Method of the driver that writes fields. */
export function writeConfigMethod(scope: DeviceScope): Code {
  const fields = configFields(scope).filter(isWritable);
  if (fields.length === 0) return nothing;
  const context = configContext(scope, code`this.negotiated`);
  const properties = fields.map((field) => {
    const shape = shapeOf(field, scope);
    const type =
      shape.kind === "scalar" && shape.meaning.kind === "enum"
        ? writeType(shape.meaning.enum, scope)
        : typeOf(shape, field, `${scope.prefix}Config`, scope);
    return code`${fieldDoc(field, scope)}readonly ${propertyName(field)}?: ${type};`;
  });
  const writes = fields.map((field) => {
    const size = field.size ?? fixedSize(shapeOf(field, scope));
    if (size === null)
      throw new EmitError("a writable config field of variable size", `${scope.device.name}.config.${field.name}`);
    const plain: FieldModel = { ...field, conditionTree: null };
    const value = code`fields.${propertyName(field)}`;
    return code`if (${value} !== undefined) {
      const bytes = new Uint8Array(${size});
      const writer = new ${runtime("ByteWriter")}(bytes);
      ${writeFields([plain], () => value, context)}
      if (writer.error !== undefined) throw writer.error;
      await this.writeConfigBytes(${configOffset(field, scope)}, bytes);
    }`;
  });
  return code`/** Writes the fields that are given; done when the configuration has been read again. */
    async writeConfig(fields: { ${joined(properties, "\n")} }): Promise<void> { ${writes} }`;
}
