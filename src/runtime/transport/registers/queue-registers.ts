import type { DeviceQueueControl, VirtioDevice } from "../../device/index.js";

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
  readonly #staged = new Map<number, StagedQueue>();
  /** Index of the queue that is selected; it needs not exist. */
  selected = 0;

  constructor(device: VirtioDevice, noVector = 0) {
    this.#device = device;
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
  /** Maps the selected queue to a vector; that may change while the queue is in use. False: there is no such queue. */
  setVector(vector: number): boolean {
    const { queue } = this;
    if (queue !== undefined) this.#stagedFor(queue).vector = vector;
    return queue !== undefined;
  }
  /** The vector of a queue; the one for none if nothing is staged. */
  vector(index: number): number {
    return this.#staged.get(index)?.vector ?? this.#noVector;
  }

  /** Changes what is staged, unless the queue is enabled. False: it is, or there is no such queue. */
  stage(change: (staged: StagedQueue) => void): boolean {
    const { queue } = this;
    if (queue === undefined || queue.enabled) return false;
    change(this.#stagedFor(queue));
    return true;
  }

  /** Hands the selected queue's size and addresses to the device and enables it. What is wrong the device reports. */
  enable(): boolean {
    const { queue } = this;
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

  /** Plain data for save and restore. */
  save(): { readonly selected: number; readonly queues: readonly (StagedQueue & { readonly index: number })[] } {
    return { selected: this.selected, queues: [...this.#staged].map(([index, staged]) => ({ index, ...staged })) };
  }
  restore(saved: ReturnType<QueueRegisters["save"]>): void {
    this.reset();
    this.selected = saved.selected;
    for (const { index, ...staged } of saved.queues) this.#staged.set(index, { ...staged });
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
