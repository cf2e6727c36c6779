import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Definitions of which there are many copies, for measuring. */
export interface ScaledInput {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
}

const device = /^(\s*device\s+)([A-Za-z_]\w*)(\s*=\s*)(0x[0-9a-fA-F]+|\d+)/m;

/**
 * Writes `factor` copies of every definition of a device in `from` to the folder `to`, each with a name and a number of
 * its own. What is no device (shared declarations) is copied once.
 */
export function scaleInput(from: string, to: string, factor: number): ScaledInput {
  mkdirSync(to, { recursive: true });
  let files = 0;
  let bytes = 0;
  const write = (name: string, text: string): void => {
    writeFileSync(join(to, name), text);
    files += 1;
    bytes += Buffer.byteLength(text);
  };
  for (const name of readdirSync(from).filter((entry) => entry.endsWith(".virtio"))) {
    const text = readFileSync(join(from, name), "utf8");
    write(name, text);
    if (!device.test(text)) continue;
    for (let copy = 1; copy < factor; copy++) {
      const renamed = text.replace(device, (_all, start: string, deviceName: string, equals: string, id: string) =>
        // The specification's numbers end below 64.
        [start, deviceName, `_copy${copy}`, equals, String(Number(id) + 64 * copy)].join(""),
      );
      write(name.replace(".virtio", `_copy${copy}.virtio`), renamed);
    }
  }
  return { folder: to, files, bytes };
}
