import type { VirtioDevice } from "../../device/index.js";
import { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import { CommonFeature, FeatureSet } from "../../negotiation/index.js";
import type { QueueAddresses } from "../../ring/index.js";
import type { DeviceTransport } from "../device-transport.js";
import type { DriverTransport } from "../driver-transport.js";
import type { Trace } from "../trace.js";
import { NotificationQueue } from "./notification-queue.js";

export interface LoopbackOptions {
  /** Size of the memory that both sides share, in bytes; 32 MiB if absent. */
  readonly memorySize?: number;
  /** Memory to use instead. The driver allocates from its first region unless there is an `allocator`. */
  readonly memory?: GuestMemory;
  /** Where the driver takes its memory from. */
  readonly allocator?: MemoryAllocator;
  /** Told of all that goes over the transport. */
  readonly trace?: Trace;
}

/** Where the memory starts, so that address 0 is not an address. */
const MEMORY_START = 0x1000;
const DEFAULT_MEMORY_SIZE = 32 * 1024 * 1024;

/** The notifications that are in one queue: `queue * 2` to the device, `queue * 2 + 1` to the driver, and this one. */
const CONFIG_CHANGE = -1;

/** A notification here is the index of its queue, and nothing else. */
const UNSUPPORTED = FeatureSet.of([CommonFeature.NOTIFICATION_DATA, CommonFeature.NOTIF_CONFIG_DATA]);

/**
 * Connects a device and a driver in one program. Registers are read and written at once; notifications are delivered
 * later, in order, and once for several of the same.
 */
export class LoopbackTransport implements DriverTransport {
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  onQueueUsed: ((index: number) => void) | undefined;
  onConfigChange: (() => void) | undefined;
  readonly #device: VirtioDevice;
  readonly #notifications = new NotificationQueue((notification) => this.#deliver(notification));

  constructor(device: VirtioDevice, options: LoopbackOptions = {}) {
    this.memory = options.memory ?? GuestMemory.flat(options.memorySize ?? DEFAULT_MEMORY_SIZE, MEMORY_START);
    this.allocator = options.allocator ?? allocatorOf(this.memory);
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
    this.#device = device;
    device.attach(this.#deviceSide(options.trace));
  }

  /** Resets the device and lets it go, so that it can be connected anew. */
  disconnect(): void {
    this.#device.detach();
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
  }

  get deviceId(): number {
    return this.#device.definition.id;
  }
  getStatus(): number {
    return this.#device.status;
  }
  setStatus(status: number): void {
    // What was on its way before a reset is of no interest after it.
    if (status === 0) this.#notifications.clear();
    this.#device.writeStatus(status);
  }
  getFeatures(): FeatureSet {
    return this.#device.offered;
  }
  setFeatures(features: FeatureSet): void {
    this.#device.setDriverFeatures(features);
  }
  readConfig(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#device.readConfig(offset, bytes);
    return bytes;
  }
  writeConfig(offset: number, bytes: Uint8Array): void {
    this.#device.writeConfig(offset, bytes);
  }
  configGeneration(): number {
    return this.#device.configGeneration;
  }
  queueMaxSize(index: number): number {
    return this.#device.queue(index)?.maxSize ?? 0;
  }
  enableQueue(index: number, addresses: QueueAddresses): void {
    const queue = this.#device.queue(index);
    if (queue?.configure(addresses) === true && queue.enable()) return;
    throw new ProtocolError("queue-enable-refused", Clause.queues, `the device does not enable queue ${String(index)}`);
  }
  resetQueue(index: number): void {
    if (this.#device.queue(index)?.reset() !== true) {
      const text = `the device does not reset queue ${String(index)}`;
      throw new ProtocolError("queue-reset-refused", Clause.queueReset, text);
    }
  }
  queueEnabled(index: number): boolean {
    return this.#device.queue(index)?.enabled ?? false;
  }
  queueResetting(index: number): boolean {
    return this.#device.queue(index)?.resetting ?? false;
  }
  notify(index: number): void {
    this.#device.trace?.({ kind: "driver-notify", queue: index });
    this.#notifications.send(2 * index);
  }

  #deviceSide(trace: Trace | undefined): DeviceTransport {
    return {
      memory: this.memory,
      unsupported: UNSUPPORTED,
      notifyDriver: (index) => {
        this.#device.trace?.({ kind: "interrupt", queue: index });
        this.#notifications.send(2 * index + 1);
      },
      notifyConfig: () => this.#notifications.send(CONFIG_CHANGE),
      queueReset: (index) => {
        // What was on its way before a reset is of no interest after it.
        this.#notifications.drop(2 * index);
        this.#notifications.drop(2 * index + 1);
      },
      trace,
    };
  }

  #deliver(notification: number): void {
    if (notification === CONFIG_CHANGE) this.onConfigChange?.();
    else if (notification % 2 === 0) this.#device.queue(notification / 2)?.notify();
    else this.onQueueUsed?.((notification - 1) / 2);
  }
}

/** Connects a device, for a driver to be started on what is returned. */
export function loopback(device: VirtioDevice, options?: LoopbackOptions): LoopbackTransport {
  return new LoopbackTransport(device, options);
}

function allocatorOf(memory: GuestMemory): MemoryAllocator {
  const [region] = memory.regions;
  if (region === undefined) throw new TypeError("loopback needs memory with at least one region");
  return new MemoryAllocator(memory, region.start, region.size);
}
