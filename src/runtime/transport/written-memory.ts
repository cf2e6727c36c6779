import type { VirtioDevice } from "../device/index.js";
import { CommonFeature } from "../negotiation/common-feature.js";
import {
  type DeviceChain,
  type DeviceQueue,
  forEachWritten,
  type QueueAddresses,
  type RingPart,
  ringParts,
  WrappedDeviceQueue,
} from "../ring/index.js";
import type { DeviceTransport } from "./device-transport.js";

/** An option of transports whose guest runs in the same program. */
export interface WrittenMemoryOptions {
  /**
   * Told of guest-physical memory that the device has written, or may have: the parts of a buffer when it is used, or taken
   * from the device, and of a ring. For an emulator that keeps translations of the guest's code or counts dirty pages. What it
   * cannot tell of: bytes that a handler writes by way of `segmentBytes` into a buffer that is never used, unless `wrote` says
   * so; and buffers in flight when a ring breaks. Must neither run the guest nor call the device, nor make memory move, before
   * it returns. What it throws goes to the device's `onProtocolError`.
   *
   * @param length in bytes, at least 1
   */
  memoryWritten?(address: number, length: number): void;
}

/** What a transport does with a queue that is enabled; nothing if nobody wants to know. */
export function tellingQueues(
  options: WrittenMemoryOptions,
  device: VirtioDevice,
): Pick<DeviceTransport, "queueEnabled"> {
  if (options.memoryWritten === undefined) return {};
  const tell = (address: number, length: number): void => {
    try {
      options.memoryWritten?.(address, length);
    } catch (error) {
      device.handlerFailed("memoryWritten", error);
    }
  };
  return {
    queueEnabled: (queue, addresses) =>
      new TellingQueue(queue, addresses, device.negotiated.has(CommonFeature.RING_PACKED), tell),
  };
}

/** A device queue that tells what is written through it. */
class TellingQueue extends WrappedDeviceQueue {
  readonly #parts: readonly RingPart[];
  readonly #tell: (address: number, length: number) => void;
  /** Chains in flight, by slot. */
  readonly #taken: (DeviceChain | undefined)[];
  /** The last look found a chain: the driver knows that it need not notify. */
  #isTaking = false;

  constructor(
    queue: DeviceQueue,
    addresses: QueueAddresses,
    isPacked: boolean,
    tell: (address: number, length: number) => void,
  ) {
    super(queue);
    this.#parts = ringParts(addresses, isPacked).filter(({ isWritten }) => isWritten);
    this.#tell = tell;
    this.#taken = new Array<DeviceChain | undefined>(queue.size).fill(undefined);
    this.#tellRing();
  }

  override take(): DeviceChain | undefined {
    const chain = super.take();
    // It has asked for a notification or, with the first chain, for none; where there are threads, for one and then for none.
    if (chain === undefined || !this.#isTaking || !this.memory.oneThread) this.#tellRing();
    this.#isTaking = chain !== undefined;
    if (chain !== undefined) this.#taken[chain.slot] = chain;
    return chain;
  }

  override complete(chain: DeviceChain, written: number): "completed" | "stale" {
    // After completion its segments are nobody's any more.
    if (chain.live) {
      forEachWritten(chain, written, this.#tell);
      this.#taken[chain.slot] = undefined;
    }
    return super.complete(chain, written);
  }
  override flush(): void {
    try {
      super.flush();
    } finally {
      // Also if the notification that it ends with fails.
      this.#tellRing();
    }
  }
  override publish(): void {
    super.publish();
    this.#tellRing();
  }
  override enableNotifications(): boolean {
    this.#isTaking = false;
    const isThereMore = super.enableNotifications();
    this.#tellRing();
    return isThereMore;
  }
  override disableNotifications(): void {
    super.disableNotifications();
    this.#tellRing();
  }

  override dispose(): void {
    // They are never used, or taken again by another queue, which knows nothing of what was written before.
    for (const chain of this.#taken) if (chain?.live === true) forEachWritten(chain, 0, this.#tell);
    this.#taken.fill(undefined);
    super.dispose();
  }

  #tellRing(): void {
    for (const { start, size } of this.#parts) this.#tell(start, size);
  }
}
