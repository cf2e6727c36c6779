import type { GuestMemory } from "../memory/index.js";
import type { ReadableBytes, WritableBytes } from "./chain-bytes.js";
import type { RingError } from "./ring-errors.js";

/** Guest-physical addresses of the three parts of a virtqueue, and its number of entries. */
export interface QueueAddresses {
  readonly size: number;
  /** Descriptor Area: the split descriptor table, or the packed descriptor ring. */
  readonly descriptor: number;
  /** Driver Area: the available ring, or the driver's event suppression structure. */
  readonly driver: number;
  /** Device Area: the used ring, or the device's event suppression structure. */
  readonly device: number;
}

/** The negotiated features that shape a virtqueue. */
export interface RingFeatures {
  /** VIRTIO_F_INDIRECT_DESC */
  readonly indirect: boolean;
  /** VIRTIO_F_EVENT_IDX */
  readonly eventIdx: boolean;
  /** VIRTIO_F_RING_PACKED */
  readonly packed: boolean;
  /** VIRTIO_F_IN_ORDER */
  readonly inOrder: boolean;
}

/**
 * Where a queue is, in plain numbers: for save and restore, and for transports that hand a queue over (vhost-user's
 * vring base). Of a split queue the 16-bit indexes 0 .. 65535 of the next entries; of a packed one the offsets
 * 0 .. size - 1 of the next descriptors, each with the wrap counter of its lap. A fresh queue is at 0, counters at 1.
 *
 * Of the device: the next buffer to take, and the next used entry to write. Of the driver: the next buffer to make
 * available, and the next used entry to read.
 */
export interface QueuePosition {
  readonly available: number;
  readonly used: number;
  /** Wrap counter of `available`. Always 1 in a split queue. */
  readonly availableWrap: 0 | 1;
  /** Wrap counter of `used`. Always 1 in a split queue. */
  readonly usedWrap: 0 | 1;
}

/** One segment of a buffer, as the driver gave it: a guest-physical range. */
export interface SavedSegment {
  readonly address: number;
  readonly length: number;
  readonly writable: boolean;
}

/** A buffer that a device had taken and not handed back, as plain data. */
export interface InFlightChain {
  /** Split: number of the head descriptor. Packed: buffer id, 0 .. 65535. */
  readonly id: number;
  /** Entries of the ring that its used entry stands for: 1 in a split queue, its descriptors in a packed one. */
  readonly entries: number;
  /**
   * Its segments, readable ones first. Absent: they are read from the descriptor table again, which only a split queue
   * can do (in a packed one, used descriptors may have overwritten them).
   */
  readonly segments?: readonly SavedSegment[];
  /**
   * Only with VIRTIO_F_IN_ORDER: it was completed with so many bytes and waits for its turn. It is not to be taken again,
   * but keeps its place among the others.
   */
  readonly completed?: number;
}

/**
 * A buffer that the driver made available. The object belongs to its slot and is reused: what it says is valid until
 * the chain is completed or its queue is disposed of, and from then on its windows are empty.
 */
export interface DeviceChain {
  /** 0 .. queue.size - 1, unique among the chains in flight; an index for pools of slots. */
  readonly slot: number;
  /** What names it in the ring: number of the head descriptor (split), or buffer id (packed). */
  readonly id: number;
  /** Entries of the ring that its used entry stands for. */
  readonly entries: number;
  /** Bytes of the device-readable part, 0 when the chain is not live. The same as `readable.length`. */
  readonly readableLength: number;
  /** Bytes of the device-writable part, 0 when the chain is not live. The same as `writable.length`. */
  readonly writableLength: number;
  readonly readable: ReadableBytes;
  readonly writable: WritableBytes;
  /**
   * Copies the first device-readable bytes, at most `target.length`, and returns how many. -1: they are
   * many, or lie in several pieces, and have to be read through `readable`.
   */
  copyHead(target: Uint8Array): number;
  /** Writes the last device-writable byte, if there is one. */
  setLastByte(value: number): void;
  /** False once completed, or when its queue was disposed of or broke. */
  readonly live: boolean;
  /** Its segments as plain data, while it is live: as the driver gave them, which is what it goes on from. Allocates. */
  save(): SavedSegment[];
  /** Like {@link save}, but where they are in guest-physical memory, also when the driver's addresses are translated. */
  locations(): SavedSegment[];
}

/** Device side of a virtqueue, whatever its format. */
export interface DeviceQueue {
  readonly index: number;
  readonly size: number;
  readonly memory: GuestMemory;
  /**
   * The next available chain. Undefined: there is none, and the driver has been asked to notify about the next one
   * (it is not asked before, so take until undefined; nor while notifications are disabled); or the queue is broken or
   * disposed of; or the next one cannot be taken before more is known of the driver's addresses (see `Translation`), and
   * whoever makes it known has the queue looked at again. Chains that were given as `resubmit` come first.
   */
  take(): DeviceChain | undefined;
  /**
   * Hands a chain back with `written` bytes from the start of its writable part (kept within that part).
   * "stale": the chain is not in flight any more, or the queue is broken or disposed of; nothing was touched.
   * Any order is allowed. With VIRTIO_F_IN_ORDER, what completes early is kept back until its turn has come.
   */
  complete(chain: DeviceChain, written: number): "completed" | "stale";
  /** Publishes the completions since the last time at once, and notifies the driver if it wants that. */
  flush(): void;
  /** Like {@link flush}, for a driver that polls: never notifies, and does not look whether it should. */
  publish(): void;
  /**
   * Asks the driver to notify about available buffers; `take` does so, too, whenever it finds none. This is the state at
   * the start. True: there is a buffer to take now.
   */
  enableNotifications(): boolean;
  /** For a device that polls: asks the driver not to notify, and `take` does not ask it to any more. */
  disableNotifications(): void;
  /** Where the queue is. What was completed and not published yet counts as used. */
  readonly position: QueuePosition;
  /** Chains taken and not completed, oldest first, as plain data to go on with elsewhere. Allocates. */
  inFlight(): InFlightChain[];
  /** What broke the queue, if it is broken. */
  readonly broken: RingError | undefined;
  /** The epoch ends: every chain becomes stale, and guest memory is not touched any more. */
  dispose(): void;
}

/** What both sides need to build a queue. */
export interface QueueOptions {
  readonly index: number;
  readonly memory: GuestMemory;
  readonly addresses: QueueAddresses;
  readonly features: RingFeatures;
  /** Called once, when the peer breaks a rule. The queue does nothing from then on. */
  onBroken(error: RingError): void;
  /**
   * Where to go on in a ring that was in use before, instead of at the beginning.
   * The constructor throws a RingError ("position") when no queue of this format and size can be there.
   */
  readonly start?: QueuePosition;
}

export interface DeviceQueueOptions extends QueueOptions {
  /**
   * Chains that were in flight when the queue was saved, oldest first: `take` gives them again, once each. They are
   * checked like any other; the constructor throws a RingError ("resubmit") for what no queue can have in flight.
   */
  readonly resubmit?: readonly InFlightChain[];
  /** Sends a used buffer notification. Called last in {@link DeviceQueue.flush}, which may be re-entered from it. */
  notifyDriver(): void;
}

/** Room for one indirect table of `entries` descriptors for each token, one after the other from `address` on. */
export interface IndirectTableRoom {
  readonly address: number;
  readonly entries: number;
}

/**
 * Driver side of a virtqueue, whatever its format. A token is an index 0 .. size - 1 that names a buffer in flight.
 */
export interface DriverQueue {
  readonly index: number;
  readonly size: number;
  /** Descriptors that are free. */
  readonly free: number;
  /** Starts a buffer. What was added since the last `end` is dropped. */
  begin(): void;
  /**
   * Appends a device-readable segment; one of length 0 is left out.
   * @throws RingError (ours, not the peer's): out of range, after a writable one, or more segments than the queue has.
   */
  addReadable(address: number, length: number): void;
  /** Appends a device-writable segment. See {@link addReadable}. */
  addWritable(address: number, length: number): void;
  /**
   * Ends the buffer. Returns its token, or -1 when there is no room (or the queue is broken or disposed of).
   * @throws RingError when the buffer has no segment.
   */
  end(): number;
  /** Publishes all ended buffers at once, and notifies the device if it wants that. */
  kick(): void;
  /** Like {@link kick}, for a device that polls: never notifies, and does not look whether it should. */
  publish(): void;
  /** Token of the next used buffer, or -1. The token and its descriptors are free from then on. */
  poll(): number;
  /** Bytes written into the buffer that `poll` returned last; never more than its writable part. */
  readonly lastWritten: number;
  /** Buffers whose used length said more than their writable part; each was cut to that part. */
  readonly overlongCount: number;
  /** Asks the device to notify about the next used buffer. True: one was used meanwhile, poll again. */
  enableNotifications(): boolean;
  disableNotifications(): void;
  /** Where the queue is. Ended buffers that are not published yet count as available. */
  readonly position: QueuePosition;
  /** Tokens of the buffers that were ended and not returned by `poll`, also after `dispose`. Allocates. */
  inFlight(): number[];
  readonly broken: RingError | undefined;
  /** The epoch ends: the queue does nothing any more. The buffers in flight are the caller's again. */
  dispose(): void;
}

export interface DriverQueueOptions extends QueueOptions {
  /** Used for buffers of two or more segments when VIRTIO_F_INDIRECT_DESC was negotiated. */
  readonly indirectTable?: IndirectTableRoom;
  /**
   * Sends an available buffer notification. Called last in {@link DriverQueue.kick}. `next` is the upper half of the
   * notification's data with VIRTIO_F_NOTIFICATION_DATA (2.9): next_off in bits 0 .. 14, next_wrap in bit 15. The lower
   * half, the queue's index or its VIRTIO_F_NOTIF_CONFIG_DATA value, is the transport's.
   */
  notifyDevice(next: number): void;
}
