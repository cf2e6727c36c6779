import { CommonFeature } from "../negotiation/common-feature.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
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
   * Told of guest-physical memory that the device has written, or may have: the parts of a buffer when it is used, and of a ring.
   * For an emulator that keeps translations of the guest's code or counts dirty pages. What handlers wrote into a buffer
   * that is never used, because its queue was reset, is not among it. Must neither run the guest nor call the device, nor
   * make memory move, before it returns.
   *
   * @param length in bytes, at least 1
   */
  memoryWritten?(address: number, length: number): void;
}

/** What a transport does with a queue that is enabled; nothing if nobody wants to know. */
export function tellingQueues(
  options: WrittenMemoryOptions,
  negotiated: () => FeatureSet,
): Pick<DeviceTransport, "queueEnabled"> {
  if (options.memoryWritten === undefined) return {};
  const tell = (address: number, length: number): void => options.memoryWritten?.(address, length);
  return {
    queueEnabled: (queue, addresses) =>
      new TellingQueue(queue, addresses, negotiated().has(CommonFeature.RING_PACKED), tell),
  };
}

/** A device queue that tells what is written through it. */
class TellingQueue extends WrappedDeviceQueue {
  readonly #parts: readonly RingPart[];
  readonly #tell: (address: number, length: number) => void;

  constructor(
    queue: DeviceQueue,
    addresses: QueueAddresses,
    isPacked: boolean,
    tell: (address: number, length: number) => void,
  ) {
    super(queue);
    this.#parts = ringParts(addresses, isPacked).filter(({ isWritten }) => isWritten);
    this.#tell = tell;
    this.#tellRing();
  }

  override take(): DeviceChain | undefined {
    const chain = super.take();
    // It has asked for a notification.
    if (chain === undefined) this.#tellRing();
    return chain;
  }

  override complete(chain: DeviceChain, written: number): "completed" | "stale" {
    // After completion its segments are nobody's any more.
    if (chain.live) forEachWritten(chain, written, this.#tell);
    return super.complete(chain, written);
  }
  override flush(): void {
    super.flush();
    this.#tellRing();
  }
  override publish(): void {
    super.publish();
    this.#tellRing();
  }
  override enableNotifications(): boolean {
    const isThereMore = super.enableNotifications();
    this.#tellRing();
    return isThereMore;
  }
  override disableNotifications(): void {
    super.disableNotifications();
    this.#tellRing();
  }

  #tellRing(): void {
    for (const { start, size } of this.#parts) this.#tell(start, size);
  }
}
