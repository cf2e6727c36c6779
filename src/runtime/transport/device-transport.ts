import type { GuestMemory } from "../memory/index.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { DeviceQueue, QueueAddresses } from "../ring/index.js";
import type { Trace } from "./trace.js";

/** What a device needs of its transport. */
export interface DeviceTransport {
  /** Memory that the queues' addresses refer to; looked at when a queue is enabled. */
  readonly memory: GuestMemory;
  /** Features that the transport has no room for (VIRTIO 1.4, 6): the device does not offer them over it. */
  readonly unsupported?: FeatureSet | undefined;
  /**
   * The driver uses the legacy interface: 32 feature bits, no FEATURES_OK, features that are in force from the first use of
   * a queue on, and queues that are served before DRIVER_OK (VIRTIO 1.4, 2.2.3 and 3.1.2).
   */
  readonly legacy?: boolean | undefined;
  /** Sends a used buffer notification. Must not call the driver before it returns. */
  notifyDriver(queueIndex: number): void;
  /** Sends a configuration change notification. Must not call the driver before it returns. */
  notifyConfig(): void;
  /**
   * A reset of this queue is complete: `resetting` and `enabled` of it are false now, and what the transport keeps for the
   * queue (size, addresses, MSI-X vector) goes back to its initial values. Called once for each reset that was accepted,
   * possibly before the call that asked for it returns. Must not call the driver before it returns.
   */
  queueReset?(queueIndex: number): void;
  /**
   * The device itself changed its status: it needs a reset, a reset of it is complete (0), or it is suspended. For
   * transports that have to tell somebody; a driver that reads the status finds out without. Must not call the driver
   * before it returns.
   */
  statusChanged?(status: number): void;
  /**
   * A queue is enabled: returns it, or what the device is to use in its place because the transport keeps account of what
   * is taken and used.
   */
  queueEnabled?(queue: DeviceQueue, addresses: QueueAddresses): DeviceQueue;
  /** Told of chains taken and completed. Costs nothing when absent. What it throws the device reports and goes on. */
  readonly trace?: Trace | undefined;
}
