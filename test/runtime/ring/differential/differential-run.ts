import { GuestMemory } from "../../../../src/runtime/memory/index.js";
import {
  createDeviceQueue,
  createDriverQueue,
  type DeviceChain,
  type DeviceQueue,
  type DriverQueue,
  type QueuePosition,
  type RingError,
  type RingFeatures,
} from "../../../../src/runtime/ring/index.js";
import { QueueModel, type Sent } from "./queue-model.js";
import { choice, kindOf, readableSegments, writableSegments, written, type StepWord } from "./steps.js";

export interface Combination {
  readonly features: RingFeatures;
  readonly size: number;
  /** Without the accesses that threads need. */
  readonly oneThread: boolean;
}

/** Puts something wrong into one of the queues, to see that a run finds it. */
export interface Planted {
  device?(queue: DeviceQueue): DeviceQueue;
  driver?(queue: DriverQueue): DriverQueue;
}

const ringAddresses = { descriptor: 0, driver: 0x1000, device: 0x2000 } as const;
const tables = { address: 0x4000, entries: 4 } as const;
const cells = 0x8000;
const cellBytes = 32;
/** Of a cell: the number of the buffer and other readable bytes, then writable ones. */
const writableAt = 16;

function disagree(what: string, got: unknown, expected: unknown): never {
  throw new Error(`${what}: ${String(got)}, the model says ${String(expected)}`);
}

/** Both sides of a queue and the model, step by step; throws where they disagree. */
export class DifferentialRun {
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  /** Buffers that came back. */
  through = 0;
  readonly #combination: Combination;
  readonly #model: QueueModel;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #chains = new Map<Sent, DeviceChain>();
  readonly #freeCells: number[];
  readonly #first = new Uint8Array(4);
  readonly #firstView = new DataView(this.#first.buffer);
  #nextId = 1;
  #toDriver = 0;
  #toDevice = 0;

  constructor(combination: Combination, start?: QueuePosition, planted: Planted = {}) {
    const { features, size, oneThread } = combination;
    this.#combination = combination;
    const bytes = new Uint8Array(cells + size * cellBytes);
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#model = new QueueModel(size, features.inOrder);
    this.#freeCells = Array.from({ length: size }, (_, cell) => cells + cell * cellBytes);
    const options = {
      index: 0,
      memory: new GuestMemory([{ start: 0, bytes }], { oneThread }),
      addresses: { size, ...ringAddresses },
      features,
      ...(start === undefined ? {} : { start }),
      onBroken: (error: RingError) => {
        throw error;
      },
    };
    const driver = createDriverQueue({ ...options, indirectTable: tables, notifyDevice: () => this.#toDevice++ });
    const device = createDeviceQueue({ ...options, notifyDriver: () => this.#toDriver++ });
    this.driver = planted.driver?.(driver) ?? driver;
    this.device = planted.device?.(device) ?? device;
  }

  step(word: StepWord): void {
    switch (kindOf(word)) {
      case "add":
        this.#add(readableSegments(word), writableSegments(word));
        break;
      case "kick":
        this.#makeAvailable(true);
        break;
      case "publish available":
        this.#makeAvailable(false);
        break;
      case "take":
        this.#take();
        break;
      case "complete":
        if (this.#model.taken.length > 0) this.#complete(word);
        break;
      case "flush":
        this.#makeUsed(true);
        break;
      case "publish used":
        this.#makeUsed(false);
        break;
      case "poll":
        this.#poll();
        break;
      case "driver enables":
        this.#driverEnables();
        break;
      case "driver disables":
        this.driver.disableNotifications();
        this.#model.driverWish = "never";
        break;
      case "device enables":
        this.#deviceEnables();
        break;
      case "device disables":
        this.device.disableNotifications();
        this.#model.devicePolls = true;
        this.#model.deviceWish = "never";
        break;
      case "drain":
        this.#drain();
        break;
    }
    if (this.driver.free !== this.#model.free) disagree("free descriptors", this.driver.free, this.#model.free);
  }

  #add(readableCount: number, writableCount: number): void {
    const { features, size } = this.#combination;
    const model = this.#model;
    const readable = Math.min(readableCount, size);
    const writable = Math.min(writableCount, size - readable);
    const segments = readable + writable;
    const descriptors = features.indirect && segments > 1 && segments <= tables.entries ? 1 : segments;
    const cell = this.#freeCells.at(-1);
    const { driver } = this;
    driver.begin();
    // There are as many cells as descriptors: without one the queue is full.
    const at = cell ?? cells;
    driver.addReadable(at, 4);
    for (let segment = 1; segment < readable; segment++) driver.addReadable(at + 4, segment);
    for (let segment = 0; segment < writable; segment++) driver.addWritable(at + writableAt + 8 * segment, 8);
    const token = driver.end();
    if (descriptors > model.free) {
      if (token !== -1) disagree("end() of a buffer without room", token, -1);
      return;
    }
    if (token < 0 || token >= size || model.tokens.has(token)) disagree("end()", token, "a token that is free");
    if (cell === undefined) disagree("free cells", 0, "at least 1");
    this.#freeCells.pop();
    const id = this.#nextId++;
    this.#words[cell / 4] = id;
    this.#bytes.fill(0, cell + writableAt, cell + cellBytes);
    // The segments behind the first have 1 and 2 bytes.
    const length = 4 + (readable > 1 ? 1 : 0) + (readable > 2 ? 2 : 0);
    model.add({ id, token, cell, descriptors, readable: length, writable: writable * 8, written: 0 });
  }

  #makeAvailable(kick: boolean): void {
    const { deviceWish } = this.#model;
    const before = this.#toDevice;
    if (kick) this.driver.kick();
    else this.driver.publish();
    const count = this.#model.publishAvailable();
    this.#checkNotified("the device", this.#toDevice - before, kick ? count : 0, deviceWish);
  }

  #take(): void {
    const chain = this.device.take();
    const sent = this.#model.take();
    if (chain === undefined || sent === undefined) {
      if (chain !== sent) disagree("take()", chain?.slot, sent?.id);
      return;
    }
    chain.readable.read(this.#first);
    const id = this.#firstView.getInt32(0, true);
    if (id !== sent.id) disagree("take()", id, sent.id);
    if (chain.readable.length !== sent.readable) disagree("readable bytes", chain.readable.length, sent.readable);
    if (chain.writable.length !== sent.writable) disagree("writable bytes", chain.writable.length, sent.writable);
    for (const other of this.#model.taken) {
      if (other !== sent && this.#chains.get(other)?.slot === chain.slot) disagree("slot", chain.slot, "a free one");
    }
    this.#chains.set(sent, chain);
  }

  #complete(word: StepWord): void {
    const { taken } = this.#model;
    const index = choice(word, taken.length);
    const sent = taken[index];
    const chain = sent && this.#chains.get(sent);
    if (sent === undefined || chain === undefined) return disagree("a chain taken", undefined, sent?.id);
    sent.written = written(word, sent.writable);
    const filled = chain.writable.fill(sent.id & 0xff, 0, sent.written);
    if (filled !== sent.written) disagree("bytes filled", filled, sent.written);
    const result = this.device.complete(chain, sent.written);
    if (result !== "completed") disagree("complete()", result, "completed");
    this.#chains.delete(sent);
    this.#model.complete(index);
  }

  #makeUsed(flush: boolean): void {
    const { driverWish } = this.#model;
    const before = this.#toDriver;
    if (flush) this.device.flush();
    else this.device.publish();
    const count = this.#model.publishUsed();
    this.#checkNotified("the driver", this.#toDriver - before, flush ? count : 0, driverWish);
  }

  #poll(): void {
    const token = this.driver.poll();
    const sent = this.#model.poll();
    if (token !== (sent?.token ?? -1)) disagree("poll()", token, sent?.token ?? -1);
    if (sent === undefined) return;
    if (this.driver.lastWritten !== sent.written) disagree("lastWritten", this.driver.lastWritten, sent.written);
    for (let at = 0; at < sent.writable; at++) {
      const expected = at < sent.written ? sent.id & 0xff : 0;
      const byte = this.#bytes[sent.cell + writableAt + at];
      if (byte !== expected) disagree(`byte ${at} of what was written`, byte, expected);
    }
    this.#freeCells.push(sent.cell);
    this.through++;
  }

  #driverEnables(): void {
    const more = this.driver.enableNotifications();
    const expected = this.#model.used.length > 0;
    if (more !== expected) disagree("enableNotifications() of the driver", more, expected);
    this.#model.driverWish = more ? "open" : "asked";
  }

  #deviceEnables(): void {
    const more = this.device.enableNotifications();
    const expected = this.#model.available.length > 0;
    if (more !== expected) disagree("enableNotifications() of the device", more, expected);
    this.#model.devicePolls = false;
    this.#model.deviceWish = more ? "open" : "asked";
  }

  #checkNotified(who: string, times: number, count: number, wish: string): void {
    const { packed, eventIdx } = this.#combination.features;
    if (count === 0 && times !== 0) disagree(`notifications of ${who} about nothing`, times, 0);
    if (count > 0 && wish === "asked" && times !== 1) disagree(`notifications of ${who}, which asked`, times, 1);
    // An event index that is far away comes near again, 2^16 entries later.
    const isSure = wish === "never" && (packed || !eventIdx);
    if (isSure && times !== 0) disagree(`notifications of ${who}, which wants none`, times, 0);
  }

  #drain(): void {
    const model = this.#model;
    const tokens = this.driver.inFlight();
    const expected = [...model.tokens].sort((one, other) => one - other).join();
    if (tokens.sort((one, other) => one - other).join() !== expected) disagree("tokens in flight", tokens, expected);
    this.#makeAvailable(true);
    while (model.available.length > 0) this.#take();
    const held = this.device.inFlight().length;
    const first = model.order.findIndex((sent) => model.taken.includes(sent));
    const holds = !model.inOrder ? model.taken.length : first < 0 ? 0 : model.order.length - first;
    if (held !== holds) disagree("chains that the device holds", held, holds);
    while (model.taken.length > 0) this.#complete(0);
    this.#makeUsed(true);
    while (model.used.length > 0) this.#poll();
    if (this.driver.free !== model.size) disagree("free descriptors at the end", this.driver.free, model.size);
    const { available, used } = this.driver.position;
    if (available !== used) disagree("position of what is used", used, available);
    const ofDevice = JSON.stringify(this.device.position);
    if (ofDevice !== JSON.stringify(this.driver.position)) {
      disagree("position of the device", ofDevice, JSON.stringify(this.driver.position));
    }
  }
}
