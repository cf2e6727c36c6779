import { expect } from "vitest";
import { GuestMemory } from "../../../src/runtime/memory/index.js";
import {
  createDeviceQueue,
  createDriverQueue,
  type DeviceQueue,
  type DriverQueue,
  type IndirectTableRoom,
  type QueueAddresses,
  type RingError,
  type RingFeatures,
} from "../../../src/runtime/ring/index.js";

export const plain: RingFeatures = { indirect: false, eventIdx: false, packed: false, inOrder: false };
export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

/** Where the parts of the test queue lie, the same for every size up to 256. */
export const addresses = (size: number): QueueAddresses => ({
  size,
  descriptor: 0x1000,
  driver: 0x3000,
  device: 0x4000,
});
/** From here on memory is free for buffers and indirect tables. */
export const buffers = 0x8000;
export const memorySize = 0x2_0000;

/** Memory that other threads may see, so that the rings take no short cut. */
export function sharedMemory(size = memorySize): GuestMemory {
  return new GuestMemory([{ start: 0, bytes: new Uint8Array(size) }]);
}

export interface RigOptions {
  readonly size?: number;
  readonly memory?: GuestMemory;
  readonly addresses?: QueueAddresses;
  readonly features?: Partial<RingFeatures>;
}

/** The bits of one descriptor; what is left out is 0. */
export interface RawDescriptor {
  readonly address?: number | bigint;
  readonly length?: number;
  readonly flags?: number;
  readonly next?: number;
}

/** Pokes at a ring as a peer that keeps to no rule can. */
export class RawRing {
  readonly memory: GuestMemory;
  readonly addresses: QueueAddresses;

  constructor(memory: GuestMemory, queue: QueueAddresses) {
    this.memory = memory;
    this.addresses = queue;
  }

  /** Writes a descriptor of the table. */
  descriptor(index: number, descriptor: RawDescriptor): void {
    this.descriptorAt(this.addresses.descriptor + 16 * index, descriptor);
  }
  /** Writes a descriptor anywhere, for indirect tables. */
  descriptorAt(address: number, { address: buffer = 0, length = 0, flags = 0, next = 0 }: RawDescriptor): void {
    const { view, start } = this.#at(address, 16);
    view.setBigUint64(address - start, BigInt(buffer), true);
    view.setUint32(address - start + 8, length, true);
    view.setUint16(address - start + 12, flags, true);
    view.setUint16(address - start + 14, next, true);
  }
  /** Puts heads into the available ring from entry `from` on and sets the index behind them. */
  offer(from: number, ...heads: number[]): void {
    heads.forEach((head, index) => {
      this.setU16(this.addresses.driver + 4 + 2 * ((from + index) % this.addresses.size), head);
    });
    this.availableIndex = from + heads.length;
  }
  /** Puts entries into the used ring from entry `from` on and sets the index behind them. */
  use(from: number, ...entries: { id: number; length: number }[]): void {
    entries.forEach(({ id, length }, index) => {
      const at = this.addresses.device + 4 + 8 * ((from + index) % this.addresses.size);
      const { view, start } = this.#at(at, 8);
      view.setUint32(at - start, id, true);
      view.setUint32(at - start + 4, length, true);
    });
    this.usedIndex = from + entries.length;
  }
  usedEntry(index: number): { id: number; length: number } {
    const at = this.addresses.device + 4 + 8 * (index % this.addresses.size);
    const { view, start } = this.#at(at, 8);
    return { id: view.getUint32(at - start, true), length: view.getUint32(at - start + 4, true) };
  }

  get availableFlags(): number {
    return this.getU16(this.addresses.driver);
  }
  set availableFlags(value: number) {
    this.setU16(this.addresses.driver, value);
  }
  get availableIndex(): number {
    return this.getU16(this.addresses.driver + 2);
  }
  set availableIndex(value: number) {
    this.setU16(this.addresses.driver + 2, value);
  }
  get usedEvent(): number {
    return this.getU16(this.addresses.driver + 4 + 2 * this.addresses.size);
  }
  set usedEvent(value: number) {
    this.setU16(this.addresses.driver + 4 + 2 * this.addresses.size, value);
  }
  get usedFlags(): number {
    return this.getU16(this.addresses.device);
  }
  set usedFlags(value: number) {
    this.setU16(this.addresses.device, value);
  }
  get usedIndex(): number {
    return this.getU16(this.addresses.device + 2);
  }
  set usedIndex(value: number) {
    this.setU16(this.addresses.device + 2, value);
  }
  get availEvent(): number {
    return this.getU16(this.addresses.device + 4 + 8 * this.addresses.size);
  }
  set availEvent(value: number) {
    this.setU16(this.addresses.device + 4 + 8 * this.addresses.size, value);
  }

  getU16(address: number): number {
    const { view, start } = this.#at(address, 2);
    return view.getUint16(address - start, true);
  }
  setU16(address: number, value: number): void {
    const { view, start } = this.#at(address, 2);
    view.setUint16(address - start, value & 0xffff, true);
  }
  /** The bytes of guest memory themselves. */
  bytes(address: number, length: number): Uint8Array {
    const { bytes, start } = this.#at(address, length);
    return bytes.subarray(address - start, address - start + length);
  }

  #at(address: number, length: number) {
    const region = this.memory.locate(address, length);
    if (region === undefined) throw new Error(`test pokes outside of memory: ${address}`);
    return region;
  }
}

/** A device queue on a raw ring: the test is the driver. */
export class DeviceRig extends RawRing {
  readonly queue: DeviceQueue;
  readonly broken: RingError[] = [];
  notifications = 0;

  constructor({ size = 8, features, ...options }: RigOptions = {}) {
    const memory = options.memory ?? sharedMemory();
    super(memory, options.addresses ?? addresses(size));
    this.queue = createDeviceQueue({
      index: 3,
      memory,
      addresses: this.addresses,
      features: { ...plain, ...features },
      notifyDriver: () => this.notifications++,
      onBroken: (error) => this.broken.push(error),
    });
  }
}

/** A driver queue on a raw ring: the test is the device. */
export class DriverRig extends RawRing {
  readonly queue: DriverQueue;
  readonly broken: RingError[] = [];
  notifications = 0;

  constructor({
    size = 8,
    features,
    indirectTable,
    ...options
  }: RigOptions & { indirectTable?: IndirectTableRoom } = {}) {
    const memory = options.memory ?? sharedMemory();
    super(memory, options.addresses ?? addresses(size));
    this.queue = createDriverQueue({
      index: 3,
      memory,
      addresses: this.addresses,
      features: { ...plain, ...features },
      ...(indirectTable === undefined ? {} : { indirectTable }),
      notifyDevice: () => this.notifications++,
      onBroken: (error) => this.broken.push(error),
    });
  }

  /** Adds a buffer of one writable segment and publishes it. Returns its token. */
  submit(length = 16): number {
    this.queue.begin();
    this.queue.addWritable(buffers, length);
    const token = this.queue.end();
    this.queue.kick();
    return token;
  }
}

/** Both sides on one ring. */
export class PairRig extends DriverRig {
  readonly device: DeviceQueue;
  readonly deviceBroken: RingError[] = [];
  deviceNotifications = 0;

  constructor(options: RigOptions & { indirectTable?: IndirectTableRoom } = {}) {
    super(options);
    this.device = createDeviceQueue({
      index: 3,
      memory: this.memory,
      addresses: this.addresses,
      features: { ...plain, ...options.features },
      notifyDriver: () => this.deviceNotifications++,
      onBroken: (error) => this.deviceBroken.push(error),
    });
  }
}

/** Small deterministic random numbers, the same in every run with the same seed. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Like `expect(actual).toBe(expected)`, for loops of many thousand steps, where building an expectation is slow. */
export function same(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected);
}
