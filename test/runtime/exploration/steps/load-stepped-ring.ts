import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as memoryModule from "../../../../src/runtime/memory/index.js";
import type {
  DeviceQueue,
  DeviceQueueOptions,
  DriverQueue,
  DriverQueueOptions,
} from "../../../../src/runtime/ring/index.js";
import { toStepSource } from "./step-transform.js";
import type { SteppedMemory, Steps } from "./stepped-memory.js";

/** An object of the runtime whose methods were turned; its properties are as they were. */
export type Stepped<T> = {
  readonly [K in keyof T]: T[K] extends (...parameters: infer P) => infer R ? (...parameters: P) => Steps<R> : T[K];
};

/** What src/runtime/ring exports, turned. Each load has modules, and so state, of its own. */
export interface SteppedRing {
  createDeviceQueue(options: DeviceQueueOptions): Steps<Stepped<DeviceQueue>>;
  createDriverQueue(options: DriverQueueOptions): Steps<Stepped<DriverQueue>>;
}

const runtime = fileURLToPath(new URL("../../../../src/runtime/", import.meta.url));
const ringFolder = resolve(runtime, "ring");
/** Modules that are not turned: they do not touch the rings, but only find and copy bytes. */
const kept = new Map<string, object>([[resolve(runtime, "memory/index.ts"), memoryModule]]);

type Module = (steps: SteppedMemory, require: (specifier: string) => object, exports: object) => void;
const compiled = new Map<string, Module>();

function compile(path: string): Module {
  const known = compiled.get(path);
  if (known !== undefined) return known;
  const source = toStepSource(readFileSync(path, "utf8"), path);
  // The text is this repository's own source, and there is no other way to make functions of it without files.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const module = new Function("$steps", "require", "exports", `${source}\n//# sourceURL=steps:${path}`) as Module;
  compiled.set(path, module);
  return module;
}

/** Loads src/runtime/ring in single steps, over this memory. */
export function loadSteppedRing(steps: SteppedMemory): SteppedRing {
  const loaded = new Map<string, object>(kept);
  const load = (path: string): object => {
    const known = loaded.get(path);
    if (known !== undefined) return known;
    if (!path.startsWith(ringFolder)) throw new Error(`${path} is neither in src/runtime/ring nor kept as it is`);
    const exports = {};
    loaded.set(path, exports);
    compile(path)(steps, (specifier) => load(resolve(dirname(path), specifier.replace(/\.js$/, ".ts"))), exports);
    return exports;
  };
  // The shape is that of the index of the rings, whose functions are now generators.
  return load(resolve(ringFolder, "index.ts")) as SteppedRing;
}
