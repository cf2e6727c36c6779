import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { createDeviceQueue, type DeviceQueue, type QueueAddresses, type RingFeatures } from "../ring/index.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import type { QueuePlan } from "./device-definition.js";
import { nextTurn } from "../transport/next-turn.js";
import { TracedDeviceQueue } from "./traced-device-queue.js";

/** What a queue asks of the device it belongs to. */
export interface QueueOwner {
  readonly transport: DeviceTransport | undefined;
  /** Negotiation is complete, so queues may be set up. */
  readonly featuresOk: boolean;
  /** The driver is ready and nobody has given up. */
  readonly live: boolean;
  readonly negotiated: FeatureSet;
  readonly ringFeatures: RingFeatures;
  readonly ringReset: boolean;
  report(error: Error): void;
  /** The device cannot go on without a reset. */
  needsReset(error: Error): void;
}

/**
 * The transport's handle on one queue of a device: configure, enable, notify, reset. What a hostile driver asks for is
 * checked and refused by returning false; the reason goes to the device's `onProtocolError`.
 */
export class DeviceQueueControl {
  readonly name: string;
  readonly index: number;
  /** Largest size that the driver may configure, in descriptors. */
  readonly maxSize: number;
  readonly #owner: QueueOwner;
  readonly #plan: QueuePlan;
  #addresses: QueueAddresses | undefined;
  #queue: DeviceQueue | undefined;
  #started = false;

  constructor(owner: QueueOwner, plan: QueuePlan, maxSize: number) {
    this.#owner = owner;
    this.#plan = plan;
    this.name = plan.name;
    this.index = plan.index;
    this.maxSize = maxSize;
  }

  get enabled(): boolean {
    return this.#queue !== undefined;
  }
  /** What the driver configured. */
  get addresses(): QueueAddresses | undefined {
    return this.#addresses;
  }

  /** Takes over size and addresses. They are checked against guest memory when the queue is enabled. */
  configure(addresses: QueueAddresses): boolean {
    if (!this.#owner.featuresOk) return this.#refuse("queue-phase", Clause.initialization, "FEATURES_OK is not set");
    if (this.#queue !== undefined) return this.#refuse("queue-already-enabled", Clause.queues, "it is enabled");
    const { size } = addresses;
    if (!Number.isInteger(size) || size < 1 || size > this.maxSize) {
      return this.#refuse("queue-size", Clause.queues, `size ${String(size)} is not in 1 ... ${String(this.maxSize)}`);
    }
    if (!this.#owner.ringFeatures.packed && (size & (size - 1)) !== 0) {
      return this.#refuse("queue-size", Clause.splitQueues, `size ${String(size)} is not a power of two`);
    }
    this.#addresses = addresses;
    return true;
  }

  /** Enables the queue; it is served from DRIVER_OK on. A ring that does not lie in guest memory breaks the device. */
  enable(): boolean {
    if (!this.#owner.featuresOk) return this.#refuse("queue-phase", Clause.initialization, "FEATURES_OK is not set");
    if (this.#queue !== undefined) return this.#refuse("queue-already-enabled", Clause.queues, "it is enabled");
    const { transport } = this.#owner;
    const addresses = this.#addresses;
    if (addresses === undefined || transport === undefined) {
      return this.#refuse("queue-not-configured", Clause.queues, "it has no size and addresses yet");
    }
    try {
      const queue = createDeviceQueue({
        index: this.index,
        memory: transport.memory,
        addresses,
        features: this.#owner.ringFeatures,
        notifyDriver: () => {
          if (this.#started) transport.notifyDriver(this.index);
        },
        onBroken: (error) => this.#owner.needsReset(error),
      });
      this.#queue = transport.trace === undefined ? queue : new TracedDeviceQueue(queue, transport.trace);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#owner.needsReset(
        new ProtocolError("queue-address", Clause.queues, `${this.#label()}: ${message}`, { cause: error }),
      );
      return false;
    }
    if (this.#owner.live) this.start();
    return true;
  }

  /** The device is live: lets the handler at the queue. */
  start(): void {
    if (this.#queue === undefined || this.#started) return;
    this.#started = true;
    try {
      this.#plan.handler.start(this.#queue, this.#owner.negotiated, this.#owner.transport?.trace);
    } catch (error) {
      this.#owner.report(new HandlerError(`start of ${this.#label()}`, error));
    }
    // The driver may have made buffers available before, and need not notify again. Not now: the driver is writing a
    // register and does not expect its requests to be served before it is done with that.
    queueMicrotask(this.#look);
  }

  /**
   * An available buffer notification. Before DRIVER_OK it is ignored: what the driver made available until then is
   * looked at when DRIVER_OK comes. After the device has asked for a reset it is ignored, too.
   */
  notify(): void {
    if (this.#started) this.#look();
    else if (!this.#owner.live)
      this.#refuse("notify-before-driver-ok", Clause.initialization, "the device is not live");
    else this.#refuse("notify-disabled-queue", Clause.queues, "notified, but not enabled");
  }

  /** A bounded amount of work; what is left is done in later turns of the event loop. */
  readonly #look = (): void => {
    if (!this.#started || !this.#owner.live) return;
    try {
      if (this.#plan.handler.notified()) nextTurn(this.#look);
    } catch (error) {
      this.#owner.report(new HandlerError(`handler of ${this.#label()}`, error));
    }
  };

  /**
   * The driver resets this queue alone. Its chains become stale, and it is as it was before it was configured.
   * Refused unless RING_RESET was negotiated.
   */
  reset(): boolean {
    if (!this.#owner.ringReset) {
      return this.#refuse("queue-reset-refused", Clause.queueReset, "RING_RESET was not negotiated");
    }
    this.release();
    return true;
  }

  /** Lets go of the ring, as part of a reset. */
  release(): void {
    this.#queue?.dispose();
    this.#queue = undefined;
    this.#addresses = undefined;
    if (!this.#started) return;
    this.#started = false;
    try {
      this.#plan.handler.stop();
    } catch (error) {
      this.#owner.report(new HandlerError(`stop of ${this.#label()}`, error));
    }
  }

  #label(): string {
    return `queue ${String(this.index)} (${this.name})`;
  }

  #refuse(rule: ProtocolError["rule"], clause: string, text: string): false {
    this.#owner.report(new ProtocolError(rule, clause, `${this.#label()}: ${text}`));
    return false;
  }
}
