import type { DeviceQueueControl, VirtioDevice } from "../../device/index.js";
import { CommonFeature } from "../../negotiation/common-feature.js";

/** What a driver has written for one queue, before it enables it. Addresses are halves of 32 bits, low one first. */
export interface StagedQueue {
  /** Null: not written, which means the largest size that the queue has. */
  size: number | null;
  descriptorLow: number;
  descriptorHigh: number;
  driverLow: number;
  driverHigh: number;
  deviceLow: number;
  deviceHigh: number;
  /** MSI-X vector, on PCI. */
  vector: number;
}

/** `queue_select` and the registers behind it, as PCI and MMIO have them. */
export class QueueRegisters {
  readonly #device: VirtioDevice;
  readonly #noVector: number;
  readonly #refuse: (text: string) => void;
  readonly #staged = new Map<number, StagedQueue>();
  /** Index of the queue that is selected; it needs not exist. */
  selected = 0;

  /**
   * @param refuse told why a write was not done
   * @param noVector what stands for no vector, on PCI
   */
  constructor(device: VirtioDevice, refuse: (text: string) => void, noVector = 0) {
    this.#device = device;
    this.#refuse = refuse;
    this.#noVector = noVector;
  }

  /** The device was reset. */
  reset(): void {
    this.selected = 0;
    this.#staged.clear();
  }
  /** A queue was reset: size, addresses and vector are as at the start. */
  resetQueue(index: number): void {
    this.#staged.delete(index);
  }

  get queue(): DeviceQueueControl | undefined {
    return this.#device.queue(this.selected);
  }
  /** A register of the selected queue as it reads: the initial value until it is written, 0 if there is no such queue. */
  value(name: Exclude<keyof StagedQueue, "vector">): number {
    const { queue } = this;
    if (queue === undefined) return 0;
    return this.#staged.get(queue.index)?.[name] ?? (name === "size" ? queue.maxSize : 0);
  }
  /** Maps the selected queue to a vector; that may change while the queue is in use. */
  setVector(vector: number): void {
    const queue = this.#existing("gets no vector");
    if (queue !== undefined) this.#stagedFor(queue).vector = vector;
  }
  /** The vector of a queue; the one for none if nothing is staged. */
  vector(index: number): number {
    return this.#staged.get(index)?.vector ?? this.#noVector;
  }

  /** Keeps a number for the selected queue, unless that is enabled. */
  stage(name: Exclude<keyof StagedQueue, "vector">, value: number): void {
    const queue = this.#existing("cannot be set up");
    if (queue === undefined) return;
    if (queue.enabled) this.#refuse(`queue ${String(queue.index)} cannot be set up: it is enabled`);
    else this.#stagedFor(queue)[name] = value;
  }

  /** What queue_enable (QueueReady) of the selected queue reads. */
  get enabled(): 0 | 1 {
    return this.queue?.enabled === true ? 1 : 0;
  }
  /** What queue_reset (QueueReset) of the selected queue reads. */
  get resetting(): 0 | 1 {
    const hasReset = this.#device.negotiated.has(CommonFeature.RING_RESET);
    return hasReset && this.queue?.resetting === true ? 1 : 0;
  }
  /** A write to queue_reset (QueueReset). */
  writeReset(value: number): void {
    if (value !== 1) this.#refuse(`the reset of a queue is set to 1, never to ${String(value)}`);
    else this.#existing("cannot be reset")?.reset();
  }

  /** Hands the selected queue's size and addresses to the device and enables it. What is wrong the device reports. */
  enable(): boolean {
    const queue = this.#existing("cannot be enabled");
    if (queue === undefined) return false;
    const staged = this.#stagedFor(queue);
    // The three parts of a ring cannot all be at 0: nobody has written them. The device says so.
    if (!hasAddresses(staged)) return queue.enable();
    const configured = queue.configure({
      size: staged.size ?? queue.maxSize,
      descriptor: join(staged.descriptorLow, staged.descriptorHigh),
      driver: join(staged.driverLow, staged.driverHigh),
      device: join(staged.deviceLow, staged.deviceHigh),
    });
    return configured && queue.enable();
  }

  /** Takes the selected queue out of use, as MMIO lets a driver. */
  disable(): void {
    const queue = this.#existing("cannot be disabled");
    if (queue?.enabled === true) queue.disable();
  }

  /** Plain data for save and restore. */
  save(): { readonly selected: number; readonly queues: readonly (StagedQueue & { readonly index: number })[] } {
    return { selected: this.selected, queues: [...this.#staged].map(([index, staged]) => ({ index, ...staged })) };
  }
  restore(saved: ReturnType<QueueRegisters["save"]>): void {
    this.reset();
    this.selected = saved.selected;
    for (const { index, ...staged } of saved.queues) this.#staged.set(index, { ...staged });
  }

  /** The selected queue. There needs not be one: that is refused. */
  #existing(what: string): DeviceQueueControl | undefined {
    const { queue } = this;
    if (queue === undefined) this.#refuse(`queue ${String(this.selected)} ${what}: there is none`);
    return queue;
  }

  #stagedFor(queue: DeviceQueueControl): StagedQueue {
    let staged = this.#staged.get(queue.index);
    if (staged === undefined) {
      staged = {
        size: null,
        descriptorLow: 0,
        descriptorHigh: 0,
        driverLow: 0,
        driverHigh: 0,
        deviceLow: 0,
        deviceHigh: 0,
        vector: this.#noVector,
      };
      this.#staged.set(queue.index, staged);
    }
    return staged;
  }
}

function hasAddresses(staged: StagedQueue): boolean {
  const { descriptorLow, descriptorHigh, driverLow, driverHigh, deviceLow, deviceHigh } = staged;
  return (descriptorLow | descriptorHigh | driverLow | driverHigh | deviceLow | deviceHigh) !== 0;
}

/** A 64-bit address as a number; above 2^53 it is one that no memory has, whatever its low bits are. */
function join(low: number, high: number): number {
  return high * 2 ** 32 + low;
}
