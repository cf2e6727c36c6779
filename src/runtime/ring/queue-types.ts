import type { GuestMemory } from "../memory/index.js";
import type { ReadableBytes, WritableBytes } from "./chain-bytes.js";
import type { RingError } from "./ring-errors.js";

/** Guest-physical addresses of the three parts of a virtqueue, and its number of entries. */
export interface QueueAddresses {
  readonly size: number;
  /** Descriptor Area: the split descriptor table. */
  readonly descriptor: number;
  /** Driver Area: the available ring. */
  readonly driver: number;
  /** Device Area: the used ring. */
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
 * A buffer that the driver made available. The object belongs to its slot and is reused: what it says is valid until
 * the chain is completed or its queue is disposed of, and from then on its windows are empty.
 */
export interface DeviceChain {
  /** 0 .. queue.size - 1, unique among the chains in flight; an index for pools of slots. */
  readonly slot: number;
  readonly readable: ReadableBytes;
  readonly writable: WritableBytes;
  /** False once completed, or when its queue was disposed of or broke. */
  readonly live: boolean;
}

/** Device side of a virtqueue, whatever its format. */
export interface DeviceQueue {
  readonly index: number;
  readonly size: number;
  readonly memory: GuestMemory;
  /**
   * The next available chain. Undefined: there is none, and the driver has been asked to notify about the next one
   * (it is not asked before, so take until undefined); or the queue is broken or disposed of.
   */
  take(): DeviceChain | undefined;
  /**
   * Hands a chain back with `written` bytes from the start of its writable part (kept within that part).
   * "stale": the chain is not in flight any more, or the queue is broken or disposed of; nothing was touched.
   */
  complete(chain: DeviceChain, written: number): "completed" | "stale";
  /** Publishes the completions since the last flush with one index write, and notifies the driver if it wants that. */
  flush(): void;
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
}

export interface DeviceQueueOptions extends QueueOptions {
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
  /** Publishes all ended buffers with one index write, and notifies the device if it wants that. */
  kick(): void;
  /** Token of the next used buffer, or -1. The token and its descriptors are free from then on. */
  poll(): number;
  /** Bytes written into the buffer that `poll` returned last; never more than its writable part. */
  readonly lastWritten: number;
  /** Buffers whose used length said more than their writable part; each was cut to that part. */
  readonly overlongCount: number;
  /** Asks the device to notify about the next used buffer. True: one was used meanwhile, poll again. */
  enableNotifications(): boolean;
  disableNotifications(): void;
  readonly broken: RingError | undefined;
  /** The epoch ends: the queue does nothing any more. The buffers in flight are the caller's again. */
  dispose(): void;
}

export interface DriverQueueOptions extends QueueOptions {
  /** Used for buffers of two or more segments when VIRTIO_F_INDIRECT_DESC was negotiated. */
  readonly indirectTable?: IndirectTableRoom;
  /** Sends an available buffer notification. Called last in {@link DriverQueue.kick}. */
  notifyDevice(): void;
}
