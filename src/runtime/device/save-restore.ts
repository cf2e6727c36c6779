import { DeviceStatus } from "../negotiation/device-status.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import type { DeviceCondition } from "./device-condition.js";
import type { DeviceDefinition } from "./device-definition.js";
import type { DeviceQueueControl } from "./device-queue-control.js";
import {
  DEVICE_STATE_VERSION,
  DeviceStateError,
  parseDeviceState,
  type DeviceState,
  type SavedQueue,
} from "./device-state.js";
import { refusal } from "./offered-features.js";
import { queueLabel } from "./queue-owner.js";

/** The state of a device and of its queues, as far as they are set up. */
export function savedState(
  definition: DeviceDefinition,
  { status, features, featuresOk }: DeviceCondition,
  config: Uint8Array,
  queues: readonly DeviceQueueControl[],
): DeviceState {
  return {
    version: DEVICE_STATE_VERSION,
    deviceId: definition.id,
    status,
    offered: features.offered.bits(),
    driverFeatures: features.accepted.bits(),
    config: [...config],
    queues: featuresOk ? queues.map((queue) => queue.save()) : [],
  };
}

/** What a state is restored to. */
export interface RestoringDevice {
  readonly definition: DeviceDefinition;
  readonly offered: FeatureSet;
  readonly configSize: number;
  readonly legacy: boolean;
}

/** A state that fits the device. */
export interface FittingState {
  readonly state: DeviceState;
  readonly accepted: FeatureSet;
  /** Negotiation was over. */
  readonly featuresOk: boolean;
}

/** Whether a state from outside is one, and one of this device. Throws a DeviceStateError. */
export function fittingState(
  value: unknown,
  { definition, offered, configSize, legacy }: RestoringDevice,
): FittingState {
  const state = parseDeviceState(value);
  if (state.deviceId !== definition.id) {
    throw new DeviceStateError("device-id", `${String(state.deviceId)}, not ${String(definition.id)}`);
  }
  if (state.config.length !== configSize) {
    throw new DeviceStateError("config-size", `${String(state.config.length)}, not ${String(configSize)}`);
  }
  const accepted = FeatureSet.of(state.driverFeatures);
  const featuresOk = legacy ? state.queues.length > 0 : (state.status & DeviceStatus.FEATURES_OK) !== 0;
  const refused = featuresOk ? refusal(definition, offered, accepted, legacy) : undefined;
  if (refused !== undefined) throw new DeviceStateError("features", refused.message, { cause: refused });
  return { state, accepted, featuresOk };
}

/** Configures and enables the queues of a device as they were saved. Throws a DeviceStateError if they do not fit. */
export function restoreQueues(queues: readonly DeviceQueueControl[], saved: readonly SavedQueue[]): void {
  if (queues.length !== saved.length) {
    throw new DeviceStateError("queues", `${String(saved.length)} queues, not ${String(queues.length)}`);
  }
  for (const [i, queue] of queues.entries()) {
    const state = saved[i];
    const label = queueLabel(queue);
    if (state?.index !== queue.index || state.name !== queue.name) {
      throw new DeviceStateError("queues", `${label} is another one in the state`);
    }
    if (state.addresses === null) continue;
    if (!queue.configure(state.addresses)) throw new DeviceStateError("queues", `${label}: its size does not fit`);
    if (state.position === null) continue;
    // What the ring itself refuses: parts outside of memory, positions and chains that no queue can have.
    if (!queue.enable(state.position, state.inFlight)) {
      throw new DeviceStateError("memory", `${label}: its ring or what was in flight does not fit this memory`);
    }
  }
}
