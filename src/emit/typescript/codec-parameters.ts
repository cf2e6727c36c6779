import type { FieldModel, Formula, StructModel } from "../../model/device-model.js";
import { code, joined, usesVariable, type Code } from "./code.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { closedContext, count, type FormulaContext, type Value } from "./formulas.js";
import { runtimeType, type RuntimeSymbol } from "./imports.js";
import { camelCase, parameterName } from "./names.js";
import { isWide, shapeOf } from "./shapes.js";

interface CodecParameter {
  readonly name: string;
  readonly type: Code | RuntimeSymbol;
}

/** What codec functions take beside bytes and value, in this order: features, config, the struct's own parameters. */
export function parameterList(struct: StructModel, scope: DeviceScope): CodecParameter[] {
  const needs = scope.needs(struct);
  const parameters: CodecParameter[] = [];
  if (needs.features) parameters.push({ name: "features", type: runtimeType("FeatureSet") });
  if (needs.config.length > 0) parameters.push({ name: "config", type: configType(needs.config, scope) });
  for (const name of needs.parameters) parameters.push({ name: parameterName(name), type: code`number` });
  return parameters;
}

/** The parameters of a codec function with this body, those in front included. One that has no use in it begins with `_`. */
export function codecParameters(
  first: readonly CodecParameter[],
  struct: StructModel,
  scope: DeviceScope,
  body: Code,
): Code {
  return joined(
    [...first, ...parameterList(struct, scope)].map(
      ({ name, type }) => code`${usesVariable(body, name) ? "" : "_"}${name}: ${type}`,
    ),
    ", ",
  );
}

/** Arguments for these parameters, as the context has them, behind a first argument. */
export function codecArguments(struct: StructModel, values: readonly Formula[], context: CodecContext): Code {
  return joined(
    argumentList(struct, values, context).map((item) => code`, ${item}`),
    "",
  );
}

export function argumentList(struct: StructModel, values: readonly Formula[], context: CodecContext): Code[] {
  const needs = context.scope.needs(struct);
  const items: Code[] = [];
  if (needs.features) items.push(context.features());
  if (needs.config.length > 0) items.push(context.config());
  for (const value of values) items.push(count(value, context.formulas));
  return items;
}

/** What the code around a field list offers to it. */
export interface CodecContext {
  readonly scope: DeviceScope;
  readonly place: string;
  /** Type name that the types of matches are called after. */
  readonly owner: string;
  /** Expression of the negotiated features. */
  features(): Code;
  /** Expression of the configuration, with fields as a driver sees them. */
  config(): Code;
  readonly formulas: FormulaContext;
  /** Variables of the code around, which are not declared again. Those that code in this context declares are added. */
  readonly taken?: Set<string>;
  /** Bytes of the fields behind a field whose length is the rest of the stream. */
  tailOf?(field: FieldModel): number;
  /** Reads bytes that may be cut short: the expression for `length` of them. */
  window?(field: FieldModel, length: Code): Code;
}

/** Type of the part of the configuration that a layout depends on. */
function configType(fields: readonly string[], scope: DeviceScope): Code {
  const names = fields.map((field) => code`${JSON.stringify(camelCase(field))}`);
  return code`Pick<${scope.prefix}DriverConfig, ${joined(names, " | ")}>`;
}

/** Formulas over features, config and parameters; fields are added by whoever knows them. */
export function formulaContext(
  scope: DeviceScope,
  place: string,
  sources: {
    readonly features: () => Code;
    readonly config: () => Code;
    readonly parameters?: readonly string[];
    /** The device sees its whole configuration, a driver only what was negotiated. */
    readonly wholeConfig?: boolean;
  },
): FormulaContext {
  return {
    ...closedContext(place),
    feature: (name) => ({ code: code`${sources.features()}.has(${featureBit(name, scope, place)})`, type: "boolean" }),
    config: (path) => configValue(path, sources.config(), sources.wholeConfig === true, scope, place),
    parameter: (name) => {
      if (sources.parameters?.includes(name) !== true) throw new EmitError(`the unknown parameter ${name}`, place);
      return { code: code`${parameterName(name)}`, type: "number" };
    },
  };
}

/** `BlkFeature.MQ`. */
export function featureBit(name: string, scope: DeviceScope, place: string): Code {
  if (scope.feature(name) === undefined) throw new EmitError(`the unknown feature ${name}`, place);
  return code`${scope.prefix}Feature.${name}`;
}

function configValue(path: readonly string[], root: Code, isWhole: boolean, scope: DeviceScope, place: string): Value {
  let fields = scope.device.config?.fields ?? [];
  let value = root;
  let missing = false;
  for (const [index, name] of path.entries()) {
    const field = fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new EmitError(`the unknown config field ${path.join(".")}`, place);
    value = code`${value}${missing ? "?." : "."}${camelCase(name)}`;
    missing ||= !isWhole && (field.conditionTree !== null || field.validTree !== null);
    const shape = shapeOf(field, scope);
    if (shape.kind === "struct") fields = shape.struct.fields;
    else if (index === path.length - 1 && shape.kind === "scalar") {
      const wide = isWide(shape, field);
      const zero = wide ? "0n" : "0";
      if (shape.meaning.kind === "enum")
        throw new EmitError(`a formula over the enum ${path.join(".")} of config`, place);
      if (shape.meaning.kind === "boolean")
        return { code: missing ? code`(${value} ?? false)` : value, type: "boolean" };
      return { code: missing ? code`(${value} ?? ${zero})` : value, type: wide ? "bigint" : "number" };
    }
  }
  throw new EmitError(`a formula that uses ${path.join(".")}, which is not a number`, place);
}
