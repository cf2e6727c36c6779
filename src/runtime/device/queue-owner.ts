import type { FeatureSet } from "../negotiation/feature-set.js";
import type { RingFeatures } from "../ring/index.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import type { Trace } from "../transport/trace.js";
import type { QueueIdentity } from "./device-definition.js";

/** What a queue asks of the device it belongs to. */
export interface QueueOwner {
  readonly transport: DeviceTransport | undefined;
  /** That of the transport; it never throws. */
  readonly trace: Trace | undefined;
  /** Negotiation is complete, so queues may be set up. */
  readonly featuresOk: boolean;
  /** The driver is ready and nobody has given up. */
  readonly live: boolean;
  /** The driver suspended the device. */
  readonly suspended: boolean;
  /** The driver wants the device to be suspended, and it is not yet: what is in flight is served, and nothing else. */
  readonly suspending: boolean;
  /** The transport lets the device at guest memory. */
  readonly memoryAccess: boolean;
  readonly negotiated: FeatureSet;
  readonly ringFeatures: RingFeatures;
  readonly ringReset: boolean;
  report(error: Error): void;
  /** The device cannot go on without a reset. */
  needsReset(error: Error): void;
  /** What the author does when a queue is reset. */
  queueReset(queue: QueueIdentity): void | Promise<void>;
}

/** What messages call a queue. */
export function queueLabel({ index, name }: QueueIdentity): string {
  return `queue ${String(index)} (${name})`;
}
