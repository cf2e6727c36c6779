import { CommonFeature } from "../negotiation/common-feature.js";
import { DeviceStatus } from "../negotiation/device-status.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { ringFeatures } from "../negotiation/ring-features.js";
import type { RingFeatures } from "../ring/index.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import type { Trace } from "../transport/trace.js";
import type { QueueIdentity } from "./device-definition.js";
import type { DeviceFeatures } from "./device-features.js";
import type { QueueOwner } from "./queue-owner.js";
import { Suspension } from "./suspension.js";

/** What a device does when one of its queues calls for it. */
export type QueueEvents = Pick<QueueOwner, "report" | "needsReset" | "queueReset">;

/** The condition that a device is in, as its queues want to know it. The device changes it; nobody else does. */
export class DeviceCondition implements QueueOwner {
  readonly features: DeviceFeatures;
  transport: DeviceTransport | undefined;
  trace: Trace | undefined;
  /** The device status field. */
  status = 0;
  memoryAccess = true;
  readonly suspension = new Suspension();
  /** A reset is under way: done when this settles. */
  ending: Promise<void> | undefined;
  readonly #events: QueueEvents;

  constructor(features: DeviceFeatures, events: QueueEvents) {
    this.features = features;
    this.transport = undefined;
    this.trace = undefined;
    this.ending = undefined;
    this.#events = events;
  }

  get resetting(): boolean {
    return this.ending !== undefined;
  }
  get live(): boolean {
    const { DRIVER_OK, FAILED } = DeviceStatus;
    // A legacy driver may use the device before DRIVER_OK.
    if (this.transport?.legacy === true) return this.features.fixed && (this.status & FAILED) === 0 && !this.resetting;
    return (this.status & (DRIVER_OK | FAILED)) === DRIVER_OK && !this.resetting;
  }
  get suspended(): boolean {
    return (this.status & DeviceStatus.SUSPEND) !== 0;
  }
  get suspending(): boolean {
    return this.suspension.underWay;
  }
  get featuresOk(): boolean {
    return this.features.fixed && !this.resetting;
  }
  get negotiated(): FeatureSet {
    return this.features.negotiated;
  }
  get ringFeatures(): RingFeatures {
    return ringFeatures(this.negotiated);
  }
  get ringReset(): boolean {
    return this.negotiated.has(CommonFeature.RING_RESET);
  }

  report(error: Error): void {
    this.#events.report(error);
  }
  needsReset(error: Error): void {
    this.#events.needsReset(error);
  }
  queueReset(queue: QueueIdentity): void | Promise<void> {
    return this.#events.queueReset(queue);
  }
}
