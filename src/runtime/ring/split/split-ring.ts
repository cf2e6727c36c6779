import type { QueueAddresses } from "../queue-types.js";
import type { GuestMemory } from "../../memory/index.js";
import { locateRingArea } from "../ring-area.js";
import { checkSplitSize, splitLayout } from "../ring-layout.js";

/** Bit 0 of the flags of either ring: its reader need not be notified (VIRTIO 1.4, 2.7.6 and 2.7.8). */
export const noNotification = 1;

/** Element of either ring, seen as 16-bit words, that holds the flags. */
export const flagsWord = 0;
/** Element of either ring, seen as 16-bit words, that holds the index. */
export const indexWord = 1;
/** First element of the available ring's entries, in 16-bit words. */
export const availableEntries = 2;
/** First element of the used ring's entries, in 32-bit words: id, then length. */
export const usedEntries = 1;

/** Typed arrays over the three parts of a split virtqueue. Words are signed, as a small integer costs nothing to keep. */
export interface SplitRing {
  readonly descriptors: Int32Array;
  /** The available ring, as 16-bit words. */
  readonly available: Uint16Array;
  /** The used ring, as 16-bit words: flags, index and, at the end, avail_event. */
  readonly used: Uint16Array;
  /** The used ring as 32-bit words, for its entries. */
  readonly usedElements: Int32Array;
  /** Element of `available` that holds used_event. */
  readonly usedEventWord: number;
  /** Element of `used` that holds avail_event. */
  readonly availEventWord: number;
}

/**
 * Finds a split virtqueue in guest memory.
 * @throws RingError when size or addresses cannot be one.
 */
export function locateSplitRing(memory: GuestMemory, queue: number, addresses: QueueAddresses): SplitRing {
  const { size } = addresses;
  checkSplitSize(size, queue);
  const layout = splitLayout(size);
  const table = locateRingArea(
    memory,
    queue,
    addresses.descriptor,
    layout.descriptorBytes,
    layout.descriptorAlignment,
    4,
  );
  const driver = locateRingArea(memory, queue, addresses.driver, layout.driverBytes, layout.driverAlignment, 2);
  const device = locateRingArea(memory, queue, addresses.device, layout.deviceBytes, layout.deviceAlignment, 4);
  return {
    descriptors: new Int32Array(table.buffer, table.byteOffset, size * 4),
    available: new Uint16Array(driver.buffer, driver.byteOffset, 3 + size),
    used: new Uint16Array(device.buffer, device.byteOffset, 3 + size * 4),
    usedElements: new Int32Array(device.buffer, device.byteOffset, usedEntries + size * 2),
    usedEventWord: availableEntries + size,
    availEventWord: 2 + size * 4,
  };
}
