import { DeviceStateError, integer, list, object } from "../../device/device-state.js";
import type { VirtioDevice } from "../../device/index.js";
import { legacyRingAddresses, RingError } from "../../ring/index.js";
import type { QueueRegisters } from "../registers/queue-registers.js";
import type { Field } from "../registers/register-file.js";
import { MmioRegister, LEGACY_PAGE } from "./mmio-layout.js";

/** The registers of version 1 that are not in version 2, as plain data. */
export interface LegacyQueueState {
  /** In bytes; 0: not written. */
  readonly guestPageSize: number;
  readonly queues: readonly { readonly index: number; readonly align: number; readonly pfn: number }[];
}

/**
 * The registers of version 1 for queues (VIRTIO 1.4, 4.2.4): a queue lies in one piece, at a page that is counted in
 * GuestPageSize, and its used ring at a multiple of QueueAlign.
 */
export class LegacyQueues {
  readonly #device: VirtioDevice;
  readonly #queues: QueueRegisters;
  readonly #refuse: (text: string) => void;
  #pageSize = 0;
  /** By queue: QueueAlign, in bytes. */
  readonly #aligns = new Map<number, number>();
  /** By queue in use: QueuePFN. */
  readonly #pages = new Map<number, number>();

  constructor(device: VirtioDevice, queues: QueueRegisters, refuse: (text: string) => void) {
    this.#device = device;
    this.#queues = queues;
    this.#refuse = refuse;
  }

  /**
   * The device was reset. GuestPageSize stays: it is of the guest, not of a queue, and Linux writes it once, when it finds the
   * device, and resets the device after that and whenever it gets another driver.
   */
  reset(): void {
    this.#aligns.clear();
    this.#pages.clear();
  }
  /** The driver has stopped using a queue, and the device has let go of it. */
  resetQueue(index: number): void {
    this.#aligns.delete(index);
    this.#pages.delete(index);
  }

  fields(): Field[] {
    const width = 4;
    return [
      {
        offset: MmioRegister.guestPageSize,
        width,
        read: () => 0,
        write: (value) => {
          if (isPowerOfTwo(value)) this.#pageSize = value;
          else this.#refuse(`GuestPageSize is a power of two, not ${String(value)}`);
        },
      },
      { offset: MmioRegister.queueAlign, width, read: () => 0, write: (value) => this.#setAlign(value) },
      {
        offset: MmioRegister.queuePfn,
        width,
        read: () => this.#pages.get(this.#queues.selected) ?? 0,
        write: (value) => this.#setPage(value),
      },
    ];
  }

  save(): LegacyQueueState {
    const queues = this.#device.queues().flatMap(({ index }) => {
      const [align, pfn] = [this.#aligns.get(index), this.#pages.get(index)];
      return align === undefined && pfn === undefined ? [] : [{ index, align: align ?? 0, pfn: pfn ?? 0 }];
    });
    return { guestPageSize: this.#pageSize, queues };
  }
  restore({ guestPageSize, queues }: LegacyQueueState): void {
    this.reset();
    this.#pageSize = guestPageSize;
    for (const { index, align, pfn } of queues) {
      if (align !== 0) this.#aligns.set(index, align);
      if (pfn !== 0) this.#pages.set(index, pfn);
    }
  }

  #setAlign(value: number): void {
    const { queue } = this.#queues;
    if (queue === undefined || queue.enabled) this.#refuseQueue("QueueAlign");
    else if (!isPowerOfTwo(value) || value < 4) this.#refuse(`QueueAlign is a power of two, not ${String(value)}`);
    else this.#aligns.set(queue.index, value);
  }

  #setPage(page: number): void {
    const { queue } = this.#queues;
    if (queue === undefined) this.#refuseQueue("QueuePFN");
    else if (page === 0) {
      if (queue.enabled) queue.disable();
      else this.resetQueue(queue.index);
    } else if (queue.enabled) this.#refuseQueue("QueuePFN");
    else if (this.#pageSize === 0) this.#refuse("QueuePFN is written before GuestPageSize");
    // From here on the features are in force, and the queues are those that go with them.
    else if (this.#device.useLegacy()) this.#enable(page);
  }

  #enable(page: number): void {
    const { queue } = this.#queues;
    if (queue === undefined) {
      this.#refuseQueue("QueuePFN");
      return;
    }
    const size = this.#queues.value("size");
    const align = this.#aligns.get(queue.index) ?? LEGACY_PAGE;
    try {
      if (!queue.configure(legacyRingAddresses(page * this.#pageSize, size, align)) || !queue.enable()) return;
      this.#pages.set(queue.index, page);
    } catch (error) {
      if (!(error instanceof RingError)) throw error;
      this.#refuse(`queue ${String(queue.index)}: ${error.message}`);
    }
  }

  #refuseQueue(register: string): void {
    const { selected, queue } = this.#queues;
    const why = queue === undefined ? "there is no such queue" : "it is in use";
    this.#refuse(`${register} of queue ${String(selected)}: ${why}`);
  }
}

/** Checks the shape of what {@link LegacyQueues.save} gave. Throws a DeviceStateError. */
export function parseLegacyQueues(value: unknown): LegacyQueueState {
  const fields = object(value, "legacy");
  const guestPageSize = integer(fields["guestPageSize"], "guestPageSize", 0xffff_ffff);
  if (guestPageSize !== 0 && !isPowerOfTwo(guestPageSize)) {
    throw new DeviceStateError("malformed", "guestPageSize is no power of two");
  }
  const queues = list(fields["queues"], "legacy.queues").map((item) => {
    const queue = object(item, "legacy.queues");
    const align = integer(queue["align"], "align", 0x8000_0000);
    if (align !== 0 && (!isPowerOfTwo(align) || align < 4)) {
      throw new DeviceStateError("malformed", "align is no power of two");
    }
    return {
      index: integer(queue["index"], "index", 0xffff),
      align,
      pfn: integer(queue["pfn"], "pfn", 0xffff_ffff),
    };
  });
  return { guestPageSize, queues };
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
