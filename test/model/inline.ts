import { DiagnosticBag, type Diagnostic } from "../../src/diagnostics/diagnostic.js";
import { parse } from "../../src/language/parse.js";
import { check } from "../../src/model/check.js";
import type { DeviceModel, Model } from "../../src/model/device-model.js";

/** Compiles texts; the first is `a.virtio`, the second `b.virtio`, ... */
export function compile(...texts: readonly string[]): { readonly model: Model; readonly found: readonly Diagnostic[] } {
  const bag = new DiagnosticBag();
  const files = texts.map((text, index) => parse({ name: `${String.fromCharCode(97 + index)}.virtio`, text }, bag));
  const model = check(files, bag);
  return { model, found: bag.sorted() };
}

/** `rule@line` of all that is found. */
export function findings(...texts: readonly string[]): readonly string[] {
  return compile(...texts).found.map(({ name, span }) => {
    const line = span.source.text.slice(0, span.start).split("\n").length;
    return `${name}@${line}`;
  });
}

/** The body of a device called `demo`; what is wrong with it is an error of the test. */
export function deviceOf(body: string): DeviceModel {
  const { model, found } = compile(`device demo = 42 {\n${body}\n}`);
  const [first] = found;
  if (first) throw new Error(`${first.code}: ${first.message}`);
  const [device] = model.devices;
  if (!device) throw new Error("no device");
  return device;
}
