import { CommonFeature } from "../negotiation/common-feature.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { numberedQueues, type QueueNumbering } from "../negotiation/queue-numbering.js";
import { largestQueueSize } from "../ring/index.js";
import type { QueuePlan } from "./device-definition.js";
import { DeviceQueueControl } from "./device-queue-control.js";
import type { QueueOwner } from "./queue-owner.js";

/** The queues that a device has, by index: made anew by every look before negotiation is complete, and kept from then on. */
export class PlannedQueues {
  readonly #owner: QueueOwner;
  readonly #numbering: QueueNumbering;
  readonly #queueSize: number;
  readonly #plan: () => { readonly features: FeatureSet; readonly queues: readonly QueuePlan[] };
  #kept: ReadonlyMap<number, DeviceQueueControl> | undefined;

  /** @param plan what there is under which features, now; it does not throw */
  constructor(
    owner: QueueOwner,
    numbering: QueueNumbering,
    queueSize: number,
    plan: () => { readonly features: FeatureSet; readonly queues: readonly QueuePlan[] },
  ) {
    this.#owner = owner;
    this.#numbering = numbering;
    this.#queueSize = queueSize;
    this.#plan = plan;
    this.#kept = undefined;
  }

  /** Those that may be in use: none before negotiation is complete. */
  get kept(): readonly DeviceQueueControl[] {
    return [...(this.#kept?.values() ?? [])];
  }

  get(): ReadonlyMap<number, DeviceQueueControl> {
    if (this.#kept !== undefined) return this.#kept;
    const { featuresOk } = this.#owner;
    const { features, queues } = this.#plan();
    const packed = features.has(CommonFeature.RING_PACKED);
    const made = new Map<number, DeviceQueueControl>();
    for (const plan of numberedQueues(queues, this.#numbering)) {
      const maxSize = largestQueueSize(plan.maxSize ?? this.#queueSize, packed);
      made.set(plan.index, new DeviceQueueControl(this.#owner, plan, maxSize));
    }
    // Before negotiation is complete the configuration may still change what there is.
    if (featuresOk) this.#kept = made;
    return made;
  }

  forget(): void {
    this.#kept = undefined;
  }
}
