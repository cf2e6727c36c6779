import type { RequestModel, VariantModel } from "../../model/device-model.js";
import { failureAnswers, type FailureAnswer } from "../../model/request-failures.js";
import type { DeviceScope } from "./device-scope.js";

/** What one kind of a request is answered with where the device fails. */
export interface Failure {
  readonly answer: FailureAnswer;
  /** As the model has it, with no struct opened. */
  readonly variant: VariantModel;
}

/** By the name of the kind of request. */
export function failuresOf(request: RequestModel, scope: DeviceScope): ReadonlyMap<string, Failure> {
  const answers = failureAnswers(request, scope.device.answers, scope);
  return new Map([...answers].map(([variant, answer]) => [variant.name, { answer, variant }]));
}
