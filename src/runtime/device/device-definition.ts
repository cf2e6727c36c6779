import type { ConfigPart } from "../negotiation/config-parts.js";
import type { FeatureRequirement, FeatureRules } from "../negotiation/feature-rules.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { DeviceQueue } from "../ring/index.js";
import type { Trace } from "../transport/trace.js";

/** From when on the driver may write a field of the configuration space. */
export type ConfigPhase = "any" | "features_ok" | "driver_ok";

/** Bytes of the configuration space that the driver may write. */
export interface WritableConfigRange {
  /** In memory, if the layout depends on features. */
  readonly offset: number;
  readonly size: number;
  /** Bits of each byte that belong to the field, if it shares its bytes with others; the rest of them stays. */
  readonly mask?: readonly number[];
  /**
   * Ones that are written clear bits, and nothing is stored: offset, in memory, of the first byte whose bits they clear. That
   * is `offset` itself, or that of another field of the same size.
   */
  readonly clears?: number;
  readonly phase: ConfigPhase;
  /** Is the field there under these features? Before FEATURES_OK they are the offered ones. */
  allowed(features: FeatureSet): boolean;
}

/** What a type of device is: generated from its definition. */
export interface DeviceDefinition extends FeatureRules {
  readonly name: string;
  /** Device id of the specification. */
  readonly id: number;
  /** Like `requires`, for what a device that offers a feature must offer too. */
  readonly offers: readonly FeatureRequirement[];
  /** In bytes; if the layout depends on features, of all parts together. */
  readonly configSize: number;
  /** What the configuration space consists of, if that depends on features. */
  readonly configParts?: readonly ConfigPart[];
  readonly writableConfig: readonly WritableConfigRange[];
}

/** A queue that exists under the features and configuration at hand, and what serves it. */
export interface QueuePlan {
  readonly name: string;
  /** The virtqueue index. */
  readonly index: number;
  /** Which one it is of the queues with this name, from 0. */
  readonly position: number;
  /** Largest size that the driver may choose; the device's `queueSize` if absent. */
  readonly maxSize?: number;
  readonly handler: QueueHandler;
}

/** Serves one queue on the device side. */
export interface QueueHandler {
  /** The queue is enabled and the driver is ready. */
  start(queue: DeviceQueue, features: FeatureSet, trace?: Trace): void;
  /**
   * The driver may have made buffers available. Does a bounded amount of work; returns true if there may be more left,
   * and is then called again in a later turn of the event loop.
   */
  notified(): boolean;
  /**
   * The queue was reset, alone or with the device: all its chains are stale and their windows empty. A promise: work that
   * holds on to guest memory is still on its way, and the reset is not complete before it settles. `reason` is for those
   * who wait for something.
   */
  stop(reason: Error): void | Promise<void>;
  /** Takes no more buffers and uses none; done when every buffer that is being worked on has been used. */
  pause(): void | Promise<void>;
  /** Goes on after {@link pause}; {@link notified} is called next. */
  resume(): void;
}

/** Which queue of a device. */
export interface QueueIdentity<Name extends string = string> {
  readonly name: Name;
  /** The virtqueue index. */
  readonly index: number;
  /** Which one it is of the queues with this name, from 0. */
  readonly position: number;
}
