import type { StructModel } from "../../model/device-model.js";
import { code, paragraphs, type Code } from "./code.js";
import { formulaContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";
import { condition } from "./formulas.js";
import { runtime, runtimeType } from "./imports.js";
import { fixedSize, shapeOf } from "./shapes.js";
import { isVisible, propertyName, typeOf } from "./struct-types.js";
import { fieldAt } from "./structs-read.js";

export function viewName(struct: StructModel, scope: DeviceScope): string {
  return `${scope.typeName(struct)}View`;
}

/** A struct where it lies in the head of a request: reads when it is looked at, and allocates nothing. */
export function structView(struct: StructModel, scope: DeviceScope): Code {
  const name = scope.typeName(struct);
  const place = `${scope.device.name}.${struct.name}`;
  const features = scope.needs(struct).features;
  const formulas = formulaContext(scope, place, {
    features: () => code`this.#features`,
    config: () => {
      throw new EmitError("a view that depends on the configuration", place);
    },
  });
  const getters = struct.fields.filter(isVisible).map((field) => {
    const shape = shapeOf(field, scope);
    const at = field.offset === 0 || field.offset === null ? code`this.#at` : code`this.#at + ${field.offset}`;
    const type = typeOf(shape, field, name, scope);
    const value = ((): Code => {
      if (shape.kind === "scalar") return fieldAt(code`this.#head`, at, field, shape, scope);
      if (shape.kind !== "struct") throw new EmitError("a view of this shape", place);
      const bytes = code`new Uint8Array(this.#head.buffer, ${at}, ${fixedSize(shape) ?? 0})`;
      const arguments_ = scope.needs(shape.struct).features ? code`, this.#features` : code``;
      return code`read${scope.typeName(shape.struct)}(new ${runtime("ByteReader")}(${bytes})${arguments_})`;
    })();
    if (field.conditionTree === null) return code`get ${propertyName(field)}(): ${type} { return ${value}; }`;
    return code`get ${propertyName(field)}(): ${type} | undefined {
      return ${condition(field.conditionTree, formulas)} ? ${value} : undefined;
    }`;
  });
  return code`/** A {@link ${name}} in the head of a request. */
    class ${viewName(struct, scope)} implements ${name} {
      readonly #head: DataView;
      readonly #at: number;
      ${features && code`readonly #features: ${runtimeType("FeatureSet")};`}

      constructor(head: DataView, at: number${features && code`, features: ${runtimeType("FeatureSet")}`}) {
        this.#head = head;
        this.#at = at;
        ${features && "this.#features = features;"}
      }

      ${paragraphs(getters)}

      toJSON(): object {
        return { ${struct.fields.filter(isVisible).map((field) => code`${propertyName(field)}: this.${propertyName(field)},`)} };
      }
    }`;
}
