import type { DeviceModel, FieldModel, FieldType, Formula, Model, StructModel } from "../../model/device-model.js";
import { fieldFormulas, visitFormula } from "./device-scope.js";

/**
 * The model without the parameters that a struct takes and nothing in it depends on, and without the values for them:
 * functions of the generated code take only what they use.
 */
export function withoutUnusedParameters(model: Model): Model {
  const shared = new ParameterUse(model.shared.structs);
  const structs = model.shared.structs.map((struct) => shared.trim(struct));
  return {
    ...model,
    shared: { ...model.shared, structs },
    devices: model.devices.map((each) => trimDevice(each, model)),
  };
}

function trimDevice(device: DeviceModel, model: Model): DeviceModel {
  const use = new ParameterUse([...model.shared.structs, ...device.structs]);
  const { config } = device;
  return {
    ...device,
    structs: device.structs.map((struct) => use.trim(struct)),
    config: config && { ...config, fields: use.trimFields(config.fields) },
    registers: device.registers.map((each) => ({ ...each, fields: use.trimFields(each.fields) })),
    requests: device.requests.map((request) => ({
      ...request,
      variants: request.variants.map((variant) => ({
        ...variant,
        readable: use.trimFields(variant.readable),
        replies: variant.replies.map((reply) => ({ ...reply, writable: use.trimFields(reply.writable) })),
      })),
    })),
  };
}

/** Which parameters the structs that can be named in one place use. */
class ParameterUse {
  readonly #structs: ReadonlyMap<string, StructModel>;
  readonly #used = new Map<StructModel, ReadonlySet<string>>();

  /** Of two structs of one name the later one is meant. */
  constructor(structs: readonly StructModel[]) {
    this.#structs = new Map(structs.map((struct) => [struct.name, struct]));
  }

  trim(struct: StructModel): StructModel {
    const used = this.#usedBy(struct);
    const parameters = struct.parameters.filter((name) => used.has(name));
    return { ...struct, parameters, fields: this.trimFields(struct.fields) };
  }

  trimFields(fields: readonly FieldModel[]): readonly FieldModel[] {
    return fields.map((field) => ({ ...field, type: this.#trimType(field.type) }));
  }

  #trimType(type: FieldType): FieldType {
    if (typeof type === "string") return type;
    if ("of" in type) return { ...type, of: this.#trimType(type.of) };
    if ("match" in type) {
      const arms = type.arms.map((arm) => ({ ...arm, arguments: this.#needed(arm.struct, arm.arguments) }));
      return { ...type, arms };
    }
    return { ...type, arguments: this.#needed(type.struct, type.arguments) };
  }

  /** Those of the values that the struct they are given to has a use for. */
  #needed(name: string, values: readonly Formula[]): readonly Formula[] {
    const struct = this.#structs.get(name);
    if (struct === undefined) return values;
    const used = this.#usedBy(struct);
    return values.filter((_, index) => used.has(struct.parameters[index] ?? ""));
  }

  #usedBy(struct: StructModel): ReadonlySet<string> {
    const known = this.#used.get(struct);
    if (known !== undefined) return known;
    const used = new Set<string>();
    if (struct.parameters.length > 0) {
      for (const formula of [...fieldFormulas(this.trimFields(struct.fields)), struct.sizedTree]) {
        if (formula === null) continue;
        visitFormula(formula, (part) => {
          if (part.op === "parameter") used.add(part.name);
        });
      }
    }
    this.#used.set(struct, used);
    return used;
  }
}
