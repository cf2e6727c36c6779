import type { MemoryAllocator, GuestMemory } from "../memory/index.js";
import type { ConfigPart } from "../negotiation/config-parts.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { FeatureRules } from "../negotiation/feature-rules.js";
import type { DriverQueue } from "../ring/index.js";

/** What a driver knows of its type of device: generated from its definition. */
export interface DriverDefinition extends FeatureRules {
  readonly name: string;
  /** Device id of the specification. */
  readonly id: number;
  /** In bytes. A device may have less, which reads as zeroes, or more. */
  readonly configSize: number;
  /** What the configuration space consists of, if that depends on features. */
  readonly configParts?: readonly ConfigPart[];
  /** How the fields of the configuration are read, in the order of their offsets. Bytes in between read as zeroes. */
  readonly configAccesses: readonly ConfigAccess[];
}

/** Fields of the configuration that are read with the same width. */
export interface ConfigAccess {
  /** In memory, if the layout depends on features. */
  readonly offset: number;
  /** Of one access, in bytes: the natural width of the field; 4 for the halves of 64 bits (VIRTIO 1.4, 4.1.3.1). */
  readonly width: 1 | 2 | 4;
  /** How many of that width follow each other. */
  readonly count: number;
  /** Absent: the fields exist whatever was negotiated. `bytes` is what was read so far. */
  readonly exists?: (features: FeatureSet, bytes: Uint8Array) => boolean;
}

/** A queue that the driver sets up. */
export interface DriverQueuePlan {
  readonly name: string;
  /** The virtqueue index. */
  readonly index: number;
  /** Which one it is of the queues with this name, from 0. */
  readonly position: number;
  /** Wanted size in descriptors; the driver's `queueSize` if absent. The device may have less. */
  readonly size?: number;
  /** Most descriptors that one buffer takes: 2 if absent. Sizes the indirect tables. */
  readonly segments?: number;
  readonly handler: DriverQueueHandler;
}

/** Lengths of the first descriptors of a request, in bytes. What is longer has a second one. */
export interface RequestCut {
  readonly readable?: number;
  readonly writable?: number;
}

/** What a queue gets to work with. */
export interface DriverQueueContext {
  readonly cut: RequestCut;
  readonly queue: DriverQueue;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  report(error: Error): void;
}

/** Serves one queue on the driver side. */
export interface DriverQueueHandler {
  /**
   * The queue is about to be enabled: takes the memory without which it is of no use. What this throws is thrown to whoever
   * enables the queue, with the device not told of it and `stop` called. `start` follows, with the same context, or `stop`.
   */
  prepare?(context: DriverQueueContext): void;
  /** The queue is enabled. Buffers may be made available; the device is told at DRIVER_OK. */
  start(context: DriverQueueContext): void;
  /**
   * The device may have used buffers. Does a bounded amount of work; returns true if there may be more left, and is then
   * called again in a later turn of the event loop.
   */
  used(): boolean;
  /** Nothing comes back any more: rejects what is outstanding. The device may still write to its buffers. */
  fail(reason: Error): void;
  /** Makes no more buffers available and does not notify; what the program sends waits. Used buffers still come. */
  pause(): void;
  /** Goes on after {@link pause}. */
  resume(): void;
  /**
   * The device has let go of the queue: rejects what is outstanding and frees all memory, exactly once. With `reopens` the
   * queue is started again soon: what the device has never been given waits for that.
   */
  stop(reason: Error, reopens?: boolean): void;
}
