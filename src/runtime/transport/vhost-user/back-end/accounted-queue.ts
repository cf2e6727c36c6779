import type { GuestMemory } from "../../../memory/index.js";
import {
  type DeviceChain,
  type DeviceQueue,
  forEachWritten,
  type QueueAddresses,
  ringParts,
  WrappedDeviceQueue,
} from "../../../ring/index.js";
import { VRING_LOG } from "../protocol/index.js";
import type { DirtyLog } from "./dirty-log.js";
import type { InflightTracker } from "./inflight-region.js";
import type { MemoryRange } from "./shared-regions.js";
import type { Vring } from "./vring.js";
import { worksIn } from "./works-in.js";

/** A device queue whose transport keeps account of what is in flight (inflight region) and what was written (dirty log). */
export class AccountedQueue extends WrappedDeviceQueue {
  /** Guest-physical, as those in the log are. */
  readonly #addresses: QueueAddresses;
  readonly #ring: Vring;
  readonly #log: DirtyLog;
  readonly #tracker: InflightTracker | undefined;
  readonly #mark = (address: number, length: number): void => this.#log.mark(address, length);

  constructor(
    queue: DeviceQueue,
    addresses: QueueAddresses,
    ring: Vring,
    log: DirtyLog,
    tracker: InflightTracker | undefined,
  ) {
    super(queue);
    this.#addresses = inMemory(addresses, queue.memory);
    this.#ring = ring;
    this.#log = log;
    this.#tracker = tracker;
  }

  /** The ring, or a request in flight, has part of one of these. Not for addresses that are translated. */
  worksIn(ranges: readonly MemoryRange[]): boolean {
    return worksIn(this, ringParts(this.#addresses, this.#ring.isPacked), ranges);
  }

  override take(): DeviceChain | undefined {
    const chain = super.take();
    if (chain === undefined) return undefined;
    this.#ring.taken = (this.#ring.taken + 1) | 0;
    this.#tracker?.taken(chain);
    return chain;
  }

  override complete(chain: DeviceChain, written: number): "completed" | "stale" {
    // After completion its segments are nobody's any more.
    if (this.#log.isActive && chain.live) forEachWritten(chain, written, this.#mark);
    const { id, slot, entries } = chain;
    const outcome = super.complete(chain, written);
    if (outcome === "completed") this.#tracker?.used(slot, id, entries);
    return outcome;
  }

  override flush(): void {
    this.#tracker?.publishing();
    super.flush();
    this.#published();
  }
  override publish(): void {
    this.#tracker?.publishing();
    super.publish();
    this.#published();
  }

  #published(): void {
    this.#tracker?.published();
    if (this.#log.isActive) this.#markRing();
  }

  /** The used ring, or the descriptors and event structure of a packed one; pages, so there is no need to be exact. */
  #markRing(): void {
    const { address } = this.#ring;
    if (address === undefined || (address.flags & VRING_LOG) === 0) return;
    const { size, descriptor, device } = this.#addresses;
    if (this.#ring.isPacked) {
      this.#log.mark(descriptor, 16 * size);
      this.#log.mark(device, 4);
    } else {
      // With an IOMMU the address to log is one of the driver's, too, and means the pages behind it.
      const used = this.memory.translation === undefined ? (address.log ?? device) : device;
      this.#log.mark(used, 6 + 8 * size);
    }
    this.#log.signal();
  }
}

/** Where the parts of a ring are in guest-physical memory. */
function inMemory(addresses: QueueAddresses, memory: GuestMemory): QueueAddresses {
  if (memory.translation === undefined) return addresses;
  const find = (address: number): number => {
    const place = memory.place(address, 1);
    return place === undefined ? address : place.region.start + place.offset;
  };
  const { size, descriptor, driver, device } = addresses;
  return { size, descriptor: find(descriptor), driver: find(driver), device: find(device) };
}
