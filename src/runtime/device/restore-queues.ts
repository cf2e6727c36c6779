import type { DeviceQueueControl } from "./device-queue-control.js";
import { DeviceStateError, type SavedQueue } from "./device-state.js";

/** Configures and enables the queues of a device as they were saved. Throws a DeviceStateError if they do not fit. */
export function restoreQueues(queues: readonly DeviceQueueControl[], saved: readonly SavedQueue[]): void {
  if (queues.length !== saved.length) {
    throw new DeviceStateError("queues", `${String(saved.length)} queues, not ${String(queues.length)}`);
  }
  for (const [i, queue] of queues.entries()) {
    const state = saved[i];
    const label = `queue ${String(queue.index)} (${queue.name})`;
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
