import type { GuestMemory, MemoryAllocator } from "../memory/index.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { QueueAddresses } from "../ring/index.js";

export type MaybePromise<T> = T | Promise<T>;

/** What a driver needs of its transport. Methods may be synchronous or not; the driver awaits them. */
export interface DriverTransport {
  readonly deviceId: number;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  getStatus(): MaybePromise<number>;
  /** Writes the device status; 0 resets the device. */
  setStatus(status: number): MaybePromise<void>;
  /** Features that the device offers. */
  getFeatures(): MaybePromise<FeatureSet>;
  /** Features that the driver accepts. */
  setFeatures(features: FeatureSet): MaybePromise<void>;
  /** Bytes of the device configuration space; fewer if the space is shorter. */
  readConfig(offset: number, length: number): MaybePromise<Uint8Array>;
  writeConfig(offset: number, bytes: Uint8Array): MaybePromise<void>;
  configGeneration(): MaybePromise<number>;
  /** Largest size of a queue, in descriptors; 0 if there is no such queue. */
  queueMaxSize(index: number): MaybePromise<number>;
  enableQueue(index: number, addresses: QueueAddresses): MaybePromise<void>;
  /** Resets one queue; done when the device has let go of it. */
  resetQueue(index: number): MaybePromise<void>;
  /** Sends an available buffer notification. Never calls the driver before it returns. */
  notify(index: number): void;
  /** Set by the driver: the device may have used buffers of this queue. */
  onQueueUsed: ((index: number) => void) | undefined;
  /** Set by the driver: the configuration, or DEVICE_NEEDS_RESET, changed. */
  onConfigChange: (() => void) | undefined;
}
