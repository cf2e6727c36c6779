import { readdirSync, readFileSync } from "node:fs";
import { build, type Source } from "virtio-gen";
import { heading, line } from "../shared/terminal.js";

/** Compiles every definition in dsl/ and says what came out. */
export async function compileDefinitions(folder: URL): Promise<void> {
  heading("Compile dsl/");
  const sources: Source[] = readdirSync(folder)
    .filter((name) => name.endsWith(".virtio"))
    .sort()
    .map((name) => ({ name, text: readFileSync(new URL(name, folder), "utf8") }));
  const started = performance.now();
  const result = await build(sources, { emit: ["ts"] });
  const milliseconds = performance.now() - started;
  const { model, outputs } = result;
  if (!model) throw new Error("dsl/ does not compile: run `npm run virtio-gen check dsl`");
  for (const device of model.devices) {
    const counts = [
      `${String(device.features.length)} features`,
      `${String(device.structs.length)} structs`,
      `${String(device.constants.length)} constants`,
      `${String(device.queues.length)} queues`,
    ];
    line(device.name, counts.join(", "));
  }
  const lines = outputs.reduce((sum, file) => sum + file.text.split("\n").length - 1, 0);
  line(
    "result",
    `${String(outputs.length)} files, ${String(lines)} lines of TypeScript in ${milliseconds.toFixed(0)} ms`,
  );
}
