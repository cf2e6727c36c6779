import type { GuestMemory, MemoryAllocator } from "../memory/index.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { QueueAddresses } from "../ring/index.js";

export type MaybePromise<T> = T | Promise<T>;

/** What a driver needs of its transport. Methods may be synchronous or not; the driver awaits them. */
export interface DriverTransport {
  readonly deviceId: number;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  /**
   * Present if the device is used through a legacy interface: there is no FEATURES_OK and no configuration generation, and
   * queues are split ones in one piece that starts at a multiple of `pageSize`, with the used ring at a multiple of
   * `ringAlignment` behind the start (2.7.2). Both in bytes.
   */
  readonly legacy?: { readonly pageSize: number; readonly ringAlignment: number } | undefined;
  getStatus(): MaybePromise<number>;
  /** Writes the device status; 0 resets the device. */
  setStatus(status: number): MaybePromise<void>;
  /** Features that the device offers. */
  getFeatures(): MaybePromise<FeatureSet>;
  /** Features that the driver accepts. */
  setFeatures(features: FeatureSet): MaybePromise<void>;
  /**
   * Bytes of the device configuration space, by accesses of `width` bytes: the natural one of the fields that they are.
   * Fewer bytes if the space is shorter.
   */
  readConfig(offset: number, length: number, width: 1 | 2 | 4): MaybePromise<Uint8Array>;
  writeConfig(offset: number, bytes: Uint8Array, width: 1 | 2 | 4): MaybePromise<void>;
  configGeneration(): MaybePromise<number>;
  /** Largest size of a queue, in descriptors; 0 if there is no such queue. */
  queueMaxSize(index: number): MaybePromise<number>;
  enableQueue(index: number, addresses: QueueAddresses): MaybePromise<void>;
  /** Is the queue enabled? What queue_enable (QueueReady) reads. */
  queueEnabled(index: number): MaybePromise<boolean>;
  /**
   * Asks the device to reset one queue: writes 1 to queue_reset (QueueReset). The driver calls it only if RING_RESET was
   * negotiated. Done when the request was made; the reset is complete when neither {@link queueResetting} nor
   * {@link queueEnabled} is true, which the driver polls. May throw if the transport knows that the device refuses.
   */
  resetQueue(index: number): MaybePromise<void>;
  /** Is a reset of the queue under way? What queue_reset (QueueReset) reads. */
  queueResetting(index: number): MaybePromise<boolean>;
  /**
   * Sends an available buffer notification. Never calls the driver before it returns. `next` is the upper half of its data
   * with NOTIFICATION_DATA (2.9): next_off in bits 0 ... 14 and next_wrap in bit 15.
   */
  notify(index: number, next: number): void;
  /** Set by the driver: the device may have used buffers of this queue. */
  onQueueUsed: ((index: number) => void) | undefined;
  /** Set by the driver: the configuration, or DEVICE_NEEDS_RESET, changed. */
  onConfigChange: (() => void) | undefined;
}
