import type { Model } from "../../model/device-model.js";

/** The model as text: two spaces, keys in the order of the contract, one newline at the end. The same model, the same bytes. */
export function emitJson(model: Model): string {
  return `${JSON.stringify(model, undefined, 2)}\n`;
}
