import type { QueueNumbering } from "../negotiation/queue-numbering.js";
import type { QueueIdentity } from "./device-definition.js";

/** Options that all devices have. */
export interface VirtioDeviceOptions<QueueName extends string = string> {
  /**
   * Largest size of a queue whose plan does not say otherwise: 1 ... 32768, 256 if absent. Split queues get the largest
   * power of two in it.
   */
  readonly queueSize?: number;
  /** Which index a queue has behind an optional one that is absent; `specification` if absent. See {@link QueueNumbering}. */
  readonly queueNumbering?: QueueNumbering;
  /** Features that are offered by default and shall not be; for tests and measurements. */
  readonly withhold?: readonly ("INDIRECT_DESC" | "EVENT_IDX")[];
  /**
   * Called when a queue in use is reset, alone or with the device, or its memory is out of reach or has moved: its requests
   * are stale by now. A promise, if work that the device does on the queue's buffers behind the back of `request.hold` has
   * to end first: the reset is complete when it settles. If it rejects the device needs a reset.
   */
  queueReset?(queue: QueueIdentity<QueueName>): void | Promise<void>;
}
