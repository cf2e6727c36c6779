import { existsSync, readdirSync, readFileSync } from "node:fs";
import { compile } from "../../src/compiler/compile.js";
import type { Source } from "../../src/diagnostics/source.js";
import type { Model, SpecVersion } from "../../src/model/device-model.js";

const folders = [new URL("../../dsl/", import.meta.url), new URL("../fixtures/devices/", import.meta.url)];

/** Every definition that there is: those in dsl/, and those that are not shipped yet. */
export const allDefinitions: readonly Source[] = folders
  .filter((folder) => existsSync(folder))
  .flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".virtio"))
      .sort()
      .map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") })),
  );

/** Their checked model. */
export function modelOfAll(specVersion?: SpecVersion): Model {
  const { model, diagnostics } = compile(allDefinitions, specVersion === undefined ? {} : { specVersion });
  if (model) return model;
  const found = diagnostics.map(({ span, code, message }) => `${span.source.name} ${code} ${message}`);
  throw new Error(`the definitions do not compile:\n${found.join("\n")}`);
}
