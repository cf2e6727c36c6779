import { CommonFeature, SUPPORTED_COMMON_FEATURES, type CommonFeatureName } from "../negotiation/common-feature.js";
import { DeviceStatus } from "../negotiation/device-status.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import { numberedQueues, type QueueNumbering } from "../negotiation/queue-numbering.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import { nextTurn } from "../transport/next-turn.js";
import { DriverConfig } from "./driver-config.js";
import type { DriverDefinition, DriverQueuePlan, RequestCut } from "./driver-definition.js";
import { DriverQueueSet } from "./driver-queue-set.js";
import { beginInitialization, endInitialization, needsReset, resetDevice } from "./initialization.js";
import type { OwnQueue } from "./own-queue.js";
import { pollUntil } from "./poll.js";

export interface VirtioDriverOptions {
  /** Wanted size of a queue whose plan does not say otherwise; the device may have less. 256 if absent. */
  readonly queueSize?: number;
  /** Which index a queue has behind an optional one that is absent; `specification` if absent. See {@link QueueNumbering}. */
  readonly queueNumbering?: QueueNumbering;
  /** Features that are accepted by default and shall not be; for tests and measurements. */
  readonly withhold?: readonly ("INDIRECT_DESC" | "EVENT_IDX")[];
  /** How long the device may take for a reset, of itself or of a queue, or to suspend: in milliseconds. 5000 if absent. */
  readonly resetTimeout?: number;
  /**
   * Requests longer than this get a second descriptor in that direction. How messages are cut is the driver's business
   * (2.7.4), but there are devices that want a header apart from its data: this is the length of the header, in bytes.
   * One descriptor in each direction if absent.
   */
  readonly cut?: RequestCut;
  readonly onError?: (error: Error) => void;
}

/** Accepted wherever they are offered. */
const ALWAYS_WANTED: readonly CommonFeatureName[] = ["INDIRECT_DESC", "EVENT_IDX", "ACCESS_PLATFORM", "ORDER_PLATFORM"];
const DEFAULT_RESET_TIMEOUT = 5000;

/**
 * What all drivers share: the initialization sequence, feature negotiation, the configuration as last read, and the end.
 * Generated classes add the types and a `start` that constructs and initializes.
 */
export abstract class VirtioDriver<Config, QueueName extends string = string> {
  readonly definition: DriverDefinition;
  /** Called with the new configuration after the device changed it. */
  onConfigChange: ((config: Config) => void) | undefined;
  /** Told of what the device does wrong, and of handlers that fail. Without it the first failure goes to the console. */
  onError: ((error: Error) => void) | undefined;

  readonly #transport: DriverTransport;
  readonly #queueSize: number;
  readonly #numbering: QueueNumbering;
  readonly #withhold: readonly string[];
  readonly #resetTimeout: number;
  readonly #cut: RequestCut | undefined;
  #state: "new" | "starting" | "running" | "suspended" | "failed" | "stopped" = "new";
  /** What was asked for when the driver was started. */
  #features: readonly string[] = [];
  #negotiated = FeatureSet.none;
  #dropped: readonly string[] = [];
  readonly #config: DriverConfig<Config>;
  #queues: DriverQueueSet | undefined;
  #refreshing = false;
  #stale = false;
  #recovering: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #complained = false;

  constructor(definition: DriverDefinition, transport: DriverTransport, options: VirtioDriverOptions = {}) {
    this.definition = definition;
    this.#transport = transport;
    this.#queueSize = options.queueSize ?? 256;
    this.#numbering = options.queueNumbering ?? "specification";
    this.#withhold = options.withhold ?? [];
    this.#resetTimeout = options.resetTimeout ?? DEFAULT_RESET_TIMEOUT;
    this.#cut = options.cut;
    this.onError = options.onError;
    this.onConfigChange = undefined;
    this.#config = new DriverConfig(transport, definition, (bytes, features) => this.decodeConfig(bytes, features));
    this.#queues = undefined;
    this.#recovering = undefined;
    this.#stopping = undefined;
  }

  /** Features in force. */
  get negotiated(): FeatureSet {
    return this.#negotiated;
  }
  /** Names of features that were asked for and are not in force: not offered, or without what they require. */
  get dropped(): readonly string[] {
    return this.#dropped;
  }
  /** The configuration as last read; read anew when the device says that it changed. */
  get config(): Config {
    const { last } = this.#config;
    if (last === undefined) throw this.#stateError("the configuration has not been read yet");
    return last.value;
  }

  /** Reads the configuration now. Rejects with a ProtocolError if it changes all the time. */
  refreshConfig(): Promise<Config> {
    return this.#config.read(this.#negotiated);
  }

  /** Resets the device. What is outstanding is rejected, and all memory is given back. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop(new ProtocolError("stopped", Clause.cleanup, "the driver was stopped"));
    return this.#stopping;
  }

  /**
   * Resets one queue and leaves it disabled, while the others go on (2.6.1). When the promise resolves the device has let go
   * of the ring and of all buffers: requests that it had used before are answered, all others are rejected with a
   * ProtocolError `queue-reset` (the device may have served them or not), each of them once. So is what is sent until the
   * queue is enabled again. A queue that is disabled stays so.
   *
   * Rejects with a ProtocolError: `queue-reset-refused` without RING_RESET or if the device does not do it, then nothing has
   * changed; `queue-reset-incomplete` if the device does not finish in time: nothing comes back then, and the memory stays
   * with the queue until a later reset of the queue or of the device succeeds.
   *
   * @param position which one of the queues with this name, from 0
   */
  resetQueue(queue: QueueName, position = 0): Promise<void> {
    return this.#onQueue(queue, position, (own) => own.reset());
  }

  /**
   * Enables a queue that was reset, with its last size. Receive buffers are posted again, as many as there is memory for.
   * Rejects with an OutOfGuestMemory if there is not enough for the ring or for one such buffer: the queue stays disabled,
   * and can be enabled later.
   */
  enableQueue(queue: QueueName, position = 0): Promise<void> {
    return this.#onQueue(queue, position, (own) => own.enable());
  }

  /**
   * Gives one queue another number of descriptors, while the others go on: a reset as in {@link resetQueue}, after which the
   * queue is enabled again. Requests that wait for room in the ring, and those sent meanwhile, are sent afterwards. Rejects,
   * before anything has changed, with a ProtocolError `queue-size` for a size that the queue cannot have. If memory is short
   * then, the queue stays disabled as after a reset, see {@link enableQueue}.
   *
   * @param size from 1 to what the device has at most; a power of two unless the queues are packed
   * @param position which one of the queues with this name, from 0
   */
  resizeQueue(queue: QueueName, size: number, position = 0): Promise<void> {
    return this.#onQueue(queue, position, (own) => own.resize(size));
  }

  /**
   * Suspends the device (3.4): it uses the buffers that it works on, and then touches and tells nothing. What is sent waits
   * for {@link resume}. Rejects with a ProtocolError: `suspended` without VIRTIO_F_SUSPEND, `suspend-incomplete` if the
   * device does not get there in time (then it is waited for no more, and a reset is what helps), or `device-needs-reset`.
   */
  async suspend(): Promise<void> {
    this.#require("running", "it can be suspended while it is running");
    if (!this.#negotiated.has(CommonFeature.SUSPEND)) {
      throw new ProtocolError("suspended", Clause.suspend, "SUSPEND was not negotiated");
    }
    const { SUSPEND, DRIVER_OK } = DeviceStatus;
    this.#state = "suspended";
    await this.#queues?.pause();
    await this.#changeStatus((status) => status | SUSPEND);
    await this.#awaitStatus((status) => (status & (SUSPEND | DRIVER_OK)) === SUSPEND);
  }

  /** Resumes the device after {@link suspend}; sends what has been waiting. */
  async resume(): Promise<void> {
    this.#require("suspended", "it can be resumed while it is suspended");
    const { SUSPEND, DRIVER_OK } = DeviceStatus;
    await this.#changeStatus((status) => (status | DRIVER_OK) & ~SUSPEND);
    await this.#awaitStatus((status) => (status & (SUSPEND | DRIVER_OK)) === DRIVER_OK);
    this.#state = "running";
    this.#queues?.resume();
  }

  /**
   * Gets a device going again that has set DEVICE_NEEDS_RESET (2.1.2), or whose ring broke: resets it and goes through the
   * initialization with the same features and queues. What is outstanding is rejected with `device-needs-reset`: the device
   * may have served it or not. On failure it is as if the driver had failed to start.
   */
  async recover(): Promise<void> {
    if (this.#state !== "running" && this.#state !== "suspended") {
      throw this.#stateError("it can recover while it is running or suspended");
    }
    this.#state = "starting";
    const reason = needsReset();
    this.#unhook();
    this.#queues?.fail(reason);
    this.#recovering = this.#run(async () => {
      await this.#reset();
      this.#queues?.stop(reason);
      this.#queues = undefined;
      await this.#initialize(this.#features);
    });
    await this.#recovering;
  }

  /** Generated: the configuration as an object. */
  protected abstract decodeConfig(bytes: Uint8Array, features: FeatureSet): Config;
  /** Generated: the queues to set up, with their handlers. Called once for each initialization. */
  protected abstract queuePlan(features: FeatureSet, config: Config): readonly DriverQueuePlan[];

  /**
   * The sequence of "Device Initialization" (3.1). On failure the device is told so (FAILED), everything is given back
   * and the reason is thrown: a ProtocolError, or what the transport threw.
   */
  protected async initialize(features: readonly string[]): Promise<void> {
    this.#require("new", "it can be initialized only once");
    this.#state = "starting";
    this.#features = features;
    await this.#run(() => this.#initialize(features));
  }

  /**
   * Writes configuration bytes. The configuration is to be read again after the last one: between the two fields that
   * select what a window shows, a reading may find nothing, and there are devices that then forget the first one.
   */
  protected async writeConfigBytes(offset: number, bytes: Uint8Array): Promise<void> {
    this.#require("running", "the configuration can be written while it is running");
    if (await this.#config.write(offset, bytes, this.#negotiated)) return;
    throw this.#stateError("the field is not there with these features");
  }

  /** Tells `onError`. */
  protected report(error: Error): void {
    if (this.onError === undefined) {
      this.#complain(error);
      return;
    }
    try {
      this.onError(error);
    } catch (failure) {
      this.#complain(failure);
    }
  }

  // ---- initialization ----

  async #run(initialize: () => Promise<void>): Promise<void> {
    try {
      await initialize();
      this.#state = "running";
    } catch (error) {
      this.#state = "failed";
      await this.#giveUp(error instanceof Error ? error : new HandlerError("initialization", error));
      throw error;
    }
    this.#queues?.release();
  }

  async #initialize(features: readonly string[]): Promise<void> {
    const transport = this.#transport;
    if (transport.deviceId !== this.definition.id) {
      const text = `a device with id ${String(transport.deviceId)}, not ${String(this.definition.id)}`;
      throw new ProtocolError("device-id", Clause.initialization, text);
    }
    await this.#reset();
    this.#config.deviceReset();
    const { accepted, dropped } = await beginInitialization(transport, this.definition, this.#wanted(features));
    this.#dropped = dropped.filter((name) => features.includes(name));
    this.#negotiated = accepted;

    transport.onQueueUsed = (index) => this.#queues?.used(index);
    transport.onConfigChange = () => this.#configChanged();
    const config = await this.refreshConfig();
    this.#queues = new DriverQueueSet({
      transport,
      features: accepted,
      defaultSize: this.#queueSize,
      resetTimeout: this.#resetTimeout,
      cut: this.#cut ?? {},
      report: (error) => this.report(error),
    });
    const plans = numberedQueues(this.queuePlan(accepted, config), this.#numbering);
    for (const plan of plans) await this.#queues.add(plan);
    await endInitialization(transport);
    // The device notifies of changes from DRIVER_OK on; this is for what changed just before.
    if ((await transport.configGeneration()) !== this.#config.generation) await this.refreshConfig();
  }

  #wanted(features: readonly string[]): string[] {
    for (const name of features) {
      if (Object.hasOwn(this.definition.features, name)) continue;
      if (SUPPORTED_COMMON_FEATURES.some((supported) => supported === name)) continue;
      throw new TypeError(`${this.definition.name} has no feature ${name} that this driver knows`);
    }
    return [...ALWAYS_WANTED, ...features].filter((name) => !this.#withhold.includes(name));
  }

  #reset(): Promise<void> {
    return resetDevice(this.#transport, this.#resetTimeout);
  }

  async #giveUp(reason: Error): Promise<void> {
    try {
      const status = await this.#transport.getStatus();
      await this.#transport.setStatus(status | DeviceStatus.FAILED);
      // Memory can be given back only when the device has let go of it.
      if (this.#queues !== undefined) await this.#reset();
      this.#queues?.stop(reason);
    } catch (error) {
      this.#queues?.fail(reason);
      this.report(error instanceof Error ? error : new HandlerError("reset", error));
    }
    this.#unhook();
  }

  async #stop(reason: Error): Promise<void> {
    // What it sets up would be there after the reset, too.
    if (this.#recovering !== undefined) await this.#recovering.catch(() => undefined);
    if (this.#state === "new" || this.#state === "failed") return;
    this.#state = "stopped";
    this.#unhook();
    try {
      await this.#reset();
    } catch (error) {
      // The device may still write to the buffers, so their memory is not given back.
      this.#queues?.fail(reason);
      throw error;
    }
    this.#queues?.stop(reason);
    this.#queues = undefined;
  }

  #unhook(): void {
    this.#transport.onQueueUsed = undefined;
    this.#transport.onConfigChange = undefined;
  }

  // ---- while running ----

  #onQueue(name: string, position: number, work: (queue: OwnQueue) => Promise<void>): Promise<void> {
    try {
      this.#require("running", "its queues can be reset while it is running");
      const queue = this.#queues?.find(name, position);
      return queue === undefined ? Promise.resolve() : work(queue);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new HandlerError("queue", error));
    }
  }

  /** Writes the status for suspending or resuming, unless the device was reset meanwhile. */
  async #changeStatus(change: (status: number) => number): Promise<void> {
    const status = await this.#transport.getStatus();
    this.#require("suspended", "the device was reset meanwhile");
    await this.#transport.setStatus(change(status));
  }

  /** Waits for a status after suspending or resuming. */
  async #awaitStatus(reached: (status: number) => boolean): Promise<void> {
    let status = 0;
    const inTime = await pollUntil(this.#resetTimeout, async () => {
      status = await this.#transport.getStatus();
      return reached(status) || (status & DeviceStatus.NEEDS_RESET) !== 0 || this.#state !== "suspended";
    });
    this.#require("suspended", "the device was reset meanwhile");
    if (reached(status)) return;
    if (inTime) throw needsReset();
    const text = "the device does not follow a write to its status";
    throw new ProtocolError("suspend-incomplete", Clause.suspend, text);
  }

  #configChanged(): void {
    this.#stale = true;
    if (this.#refreshing) return;
    this.#refreshing = true;
    void this.#refresh();
  }

  /** Reads the configuration until no change is reported meanwhile. */
  async #refresh(): Promise<void> {
    for (let first = true; this.#stale && this.#state !== "stopped"; first = false) {
      // A device that reports changes all the time must not keep the event loop from its other work.
      if (!first) await new Promise<void>((resolve) => nextTurn(resolve));
      this.#stale = false;
      try {
        if (((await this.#transport.getStatus()) & DeviceStatus.NEEDS_RESET) !== 0) {
          const error = needsReset();
          this.#queues?.fail(error);
          this.report(error);
          break;
        }
        const config = await this.refreshConfig();
        // The device tells of changes before it can be seen that it has resumed.
        if (this.#state === "running" || this.#state === "suspended") this.onConfigChange?.(config);
      } catch (error) {
        this.report(error instanceof Error ? error : new HandlerError("onConfigChange", error));
      }
    }
    // At once: a change that is reported from here on is looked at anew.
    this.#refreshing = false;
  }

  #require(state: "new" | "running" | "suspended", text: string): void {
    if (this.#state !== state) throw this.#stateError(text);
  }
  #stateError(text: string): TypeError {
    return new TypeError(`${this.definition.name} driver (${this.#state}): ${text}`);
  }

  #complain(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    console.error(`${this.definition.name} driver:`, error);
  }
}
