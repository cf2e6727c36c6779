import type { GuestMemory } from "../memory/index.js";
import type { Trace } from "./trace.js";

/** What a device needs of its transport. */
export interface DeviceTransport {
  /** Memory that the queues' addresses refer to; looked at when a queue is enabled. */
  readonly memory: GuestMemory;
  /** Sends a used buffer notification. Must not call the driver before it returns. */
  notifyDriver(queueIndex: number): void;
  /** Sends a configuration change notification. Must not call the driver before it returns. */
  notifyConfig(): void;
  /** Told of chains taken and completed. Costs nothing when absent. */
  readonly trace?: Trace | undefined;
}
