import { configFields, isAnswer, isReadable, isSelector } from "../../src/emit/typescript/config-fields.js";
import { visitFormula, type DeviceScope } from "../../src/emit/typescript/device-scope.js";
import type { QueueShape } from "../../src/emit/typescript/queues.js";
import { isWide, scalarSize, shapeOf, type Shape } from "../../src/emit/typescript/shapes.js";
import { propertyName } from "../../src/emit/typescript/struct-types.js";
import { camelCase } from "../../src/emit/typescript/names.js";
import type { FeatureModel, FieldModel, Formula } from "../../src/model/device-model.js";
import { FeatureSet, RequestSlot, VirtioDevice, VirtioDriver, type DriverQueue } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { RawDriver } from "../runtime/fixtures/raw-driver.js";
import { valueIn, type Agreement } from "./message-formulas.js";

/** What configurations are tried with. */
const NUMBERS = [32, 16, 4, 64, 1, 2, 8, 512, 1500, 0];

/** Called with each request that arrives, and completes it. */
type Handler = (request: RequestSlot) => void;

/** A generated device that gives its requests to `handler`, with a configuration that its rules allow. */
export class ServedDevice {
  readonly device: VirtioDevice;
  readonly errors: Error[] = [];
  handler: Handler = (request) => void request.abandon();

  constructor(module: unknown, scope: DeviceScope, queues: readonly QueueShape[], features: readonly string[]) {
    const handlers = Object.fromEntries(queues.filter(({ direction }) => direction === "toDevice").map(({ name }) => [name, this.#take]));
    let made: unknown;
    let problem: unknown;
    for (const number of NUMBERS) {
      try {
        const options = { ...handlers, features, config: configOf(scope, number), configWindow: () => undefined, queueSize: 64, onProtocolError: this.#error };
        made = Reflect.construct(classOf(module, `${scope.prefix}Device`), [options]);
        break;
      } catch (error) {
        problem = error;
      }
    }
    if (!(made instanceof VirtioDevice)) throw problem instanceof Error ? problem : new Error("no device");
    this.device = made;
  }

  queueIndex(name: string): number | undefined {
    return this.device.queues().find((queue) => queue.name === name && queue.position === 0)?.index;
  }

  readonly #take = (request: unknown): void => {
    if (request instanceof RequestSlot) this.handler(request);
  };
  readonly #error = (error: Error): void => void this.errors.push(error);
}

/** A device and a driver, both generated, that have negotiated. */
export class Pair {
  readonly served: ServedDevice;
  readonly driver: VirtioDriver<unknown>;
  readonly agreed: Agreement;
  readonly features: readonly string[];
  readonly errors: Error[] = [];
  onMessage: ((queue: string, message: unknown) => void) | undefined = undefined;

  private constructor(served: ServedDevice, driver: VirtioDriver<unknown>, scope: DeviceScope, features: readonly string[]) {
    this.served = served;
    this.driver = driver;
    this.features = features;
    const { negotiated } = driver;
    this.agreed = { scope, features: negotiated, config: (path) => configNumber(driver.config, path) };
  }

  static async start(module: unknown, scope: DeviceScope, queues: readonly QueueShape[], features: readonly string[]): Promise<Pair> {
    const served = new ServedDevice(module, scope, queues, features);
    const holder: { pair?: Pair } = {};
    const receivers = queues.filter(({ direction }) => direction === "toDriver").flatMap(({ name }) => [
      [name, (message: unknown): void => holder.pair?.onMessage?.(name, message)],
      [`${name}Buffers`, { count: 1, size: 2048 }],
    ]);
    const errors: Error[] = [];
    const options = { features, queueSize: 16, onError: (error: Error) => void errors.push(error), ...Object.fromEntries(receivers) };
    const start: unknown = Reflect.get(classOf(module, `${scope.prefix}Driver`), "start");
    const driver: unknown = await call(start, undefined, loopback(served.device, { memorySize: 1 << 20 }), options);
    if (!isDriver(driver)) throw new Error("no driver");
    const pair = new Pair(served, driver, scope, features);
    pair.errors.push(...errors);
    holder.pair = pair;
    return pair;
  }

  /** The driver's queue, if there is one with these features. */
  queue(name: string): object | undefined {
    const queue: unknown = Reflect.get(this.driver, name);
    return typeof queue === "object" && queue !== null ? queue : undefined;
  }
}

/** The same device, whose rings are written by hand. */
export class HandWritten {
  readonly served: ServedDevice;
  readonly raw: RawDriver;
  readonly #queues = new Map<number, DriverQueue>();

  constructor(module: unknown, scope: DeviceScope, queues: readonly QueueShape[], pair: Pair) {
    this.served = new ServedDevice(module, scope, queues, pair.features);
    this.raw = new RawDriver(this.served.device);
    this.raw.negotiate(pair.agreed.features.bits().filter((bit) => scope.device.features.some((feature) => feature.bit === bit)));
    for (const { index } of this.served.device.queues()) this.#queues.set(index, this.raw.queue(index, 64));
    this.raw.ready();
  }

  /** Posts a buffer cut at these places. What was given back is copied out; `around` is what lies before and behind each segment. */
  post(index: number, readable: readonly Uint8Array[], writable: readonly number[], around = 0): { take(): { written: number; bytes: Uint8Array; untouched: boolean } | undefined } {
    const queue = this.#queues.get(index);
    if (queue === undefined) throw new Error(`no queue ${String(index)}`);
    const { allocator, memory } = this.raw;
    const margin = 16;
    const whole = memory.regions[0];
    if (whole === undefined) throw new Error("no memory");
    const allocations: number[] = [];
    const place = (length: number, bytes?: Uint8Array): number => {
      const address = allocator.allocate(length + 2 * margin);
      allocations.push(address);
      const at = address - whole.start;
      whole.bytes.fill(around, at, at + length + 2 * margin);
      if (bytes !== undefined) whole.bytes.set(bytes, at + margin);
      return address + margin;
    };
    const outs = readable.filter((part) => part.length > 0).map((part) => ({ address: place(part.length, part), length: part.length }));
    const ins = writable.filter((length) => length > 0).map((length) => ({ address: place(length), length }));
    queue.begin();
    for (const { address, length } of outs) queue.addReadable(address, length);
    for (const { address, length } of ins) queue.addWritable(address, length);
    if (queue.end() < 0) throw new Error("the ring is full");
    queue.kick();
    return {
      take: () => {
        if (queue.poll() < 0) return undefined;
        const parts = ins.map(({ address, length }) => whole.bytes.slice(address - whole.start, address - whole.start + length));
        const untouched = ins.every(({ address, length }) => {
          const at = address - whole.start;
          const margins = [...whole.bytes.subarray(at - margin, at), ...whole.bytes.subarray(at + length, at + length + margin)];
          return margins.every((byte) => byte === around);
        });
        for (const address of allocations) allocator.free(address);
        return { written: queue.lastWritten, bytes: join(parts), untouched };
      },
    };
  }
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function classOf(module: unknown, name: string): new (...values: unknown[]) => unknown {
  const found: unknown = Reflect.get(Object(module), name);
  if (!isConstructor(found)) throw new Error(`no class ${name}`);
  return found;
}
function isConstructor(value: unknown): value is new (...values: unknown[]) => unknown {
  return typeof value === "function";
}

function isDriver(value: unknown): value is VirtioDriver<unknown> {
  return value instanceof VirtioDriver;
}

export function call(method: unknown, of: unknown, ...values: unknown[]): unknown {
  if (typeof method !== "function") throw new Error("no such method");
  return Reflect.apply(method, of, values);
}

// ---- features and configuration ----

/** What has to be offered beside these, and all that they require. */
export function closed(chosen: readonly FeatureModel[], scope: DeviceScope): readonly string[] {
  const names = new Set(chosen.map(({ name }) => name));
  for (const feature of scope.device.features) if (feature.mandatory) names.add(feature.name);
  for (const name of names) {
    const feature = scope.feature(name);
    for (const choice of [...(feature?.requires ?? []), ...(feature?.offers ?? [])]) {
      const [first] = choice;
      if (first !== undefined && !choice.some((each) => names.has(each))) names.add(first);
    }
  }
  return [...names].filter((name) => scope.feature(name)?.legacy === false);
}

function configNumber(config: unknown, path: readonly string[]): bigint {
  let part: unknown = config;
  for (const name of path) part = Reflect.get(Object(part), camelCase(name));
  return typeof part === "number" || typeof part === "bigint" || typeof part === "boolean" ? BigInt(part) : 0n;
}

/** A configuration with this number in all fields, as far as they are numbers. */
function configOf(scope: DeviceScope, number: number): unknown {
  const fields = configFields(scope).filter((field) => isReadable(field) && !isAnswer(field, scope) && !isSelector(field, scope));
  return Object.fromEntries(fields.map((field) => [propertyName(field), configValue(shapeOf(field, scope), field, allowed(field, number, scope), scope)]));
}

/** The number, or another one where the field does not allow it. */
function allowed(field: FieldModel, number: number, scope: DeviceScope): number {
  const tree = field.constraintTree;
  if (tree === null) return number;
  const isAllowed = (value: number): boolean => {
    const agreed = { scope, features: FeatureSet.none, config: ([name]: readonly string[]) => BigInt(name === field.name ? value : number) };
    return valueIn(tree, { self: new Map([[field.name, BigInt(value)]]), parameters: new Map() }, agreed) !== 0n;
  };
  return [number, ...NUMBERS, ...constantsIn(tree)].find(isAllowed) ?? number;
}

function constantsIn(tree: Formula): number[] {
  const found: number[] = [];
  visitFormula(tree, (part) => {
    if (part.op === "number") found.push(Number(part.value));
  });
  return found;
}

function configValue(shape: Shape, field: FieldModel, number: number, scope: DeviceScope): unknown {
  switch (shape.kind) {
    case "scalar": {
      const width = field.bits?.width ?? scalarSize(shape.scalar) * 8;
      const fits = Math.min(number, 2 ** Math.min(width, 32) - 1);
      if (shape.meaning.kind === "boolean") return number !== 0;
      return isWide(shape, field) ? BigInt(fits) : fits;
    }
    case "bytes":
      return new Uint8Array(shape.length.kind === "fixed" ? shape.length.count : 0);
    case "text":
      return "x";
    case "array":
      return Array.from({ length: shape.length.kind === "fixed" ? shape.length.count : 0 }, () => configValue(shape.of, field, number, scope));
    case "struct":
      return Object.fromEntries(shape.struct.fields.filter((each) => !each.reserved).map((each) => [propertyName(each), configValue(shapeOf(each, scope), each, number, scope)]));
    case "match":
      return undefined;
  }
}

/** Sets of features to try: all, none, and two halves. */
export function featureSets(scope: DeviceScope): readonly (readonly string[])[] {
  const all = scope.device.features.filter(({ legacy }) => !legacy);
  const sets = [all, [], all.filter((_, index) => index % 2 === 0), all.filter((_, index) => index % 2 === 1)].map((set) => closed(set, scope));
  return [...new Map(sets.map((set) => [[...set].sort().join(" "), set])).values()];
}
