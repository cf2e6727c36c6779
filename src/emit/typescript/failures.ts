import type { RequestModel, VariantModel } from "../../model/device-model.js";
import { failureAnswers, type FailureAnswer } from "../../model/request-failures.js";
import type { DeviceScope } from "./device-scope.js";
import { EmitError } from "./emit-error.js";

/** What one kind of a request is answered with where the device fails. */
export interface Failure {
  readonly answer: FailureAnswer;
  /** As the model has it, with no struct opened. */
  readonly variant: VariantModel;
}

/** By the name of the kind of request. What a rule sets has a place: that has been checked. */
export function failuresOf(request: RequestModel, scope: DeviceScope): ReadonlyMap<string, Failure> {
  const { device, types } = scope;
  const answers = failureAnswers(request, device.answers, types, ({ name }, path) => {
    throw new EmitError(`a failure that sets ${path.join(".")}`, `${device.name}.${name}`);
  });
  return new Map([...answers].map(([variant, answer]) => [variant.name, { answer, variant }]));
}
