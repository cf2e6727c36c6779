import { SUPPORTED_COMMON_FEATURES, type CommonFeatureName } from "../negotiation/common-feature.js";
import { DeviceStatus } from "../negotiation/device-status.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import { nextTurn } from "../transport/next-turn.js";
import { readConfigSnapshot } from "./config-snapshot.js";
import type { DriverDefinition, DriverQueuePlan } from "./driver-definition.js";
import { DriverQueueSet } from "./driver-queue-set.js";
import { negotiate } from "./feature-negotiation.js";

export interface VirtioDriverOptions {
  /** Wanted size of a queue whose plan does not say otherwise; the device may have less. 256 if absent. */
  readonly queueSize?: number;
  /** Features that are accepted by default and shall not be; for tests and measurements. */
  readonly withhold?: readonly ("INDIRECT_DESC" | "EVENT_IDX")[];
  readonly onError?: (error: Error) => void;
}

/** Accepted wherever they are offered. */
const ALWAYS_WANTED: readonly CommonFeatureName[] = ["INDIRECT_DESC", "EVENT_IDX", "ACCESS_PLATFORM", "ORDER_PLATFORM"];
/** Reads of the status until a reset that does not finish is given up. */
const MOST_RESET_POLLS = 1000;

/**
 * What all drivers share: the initialization sequence, feature negotiation, the configuration as last read, and the end.
 * Generated classes add the types and a `start` that constructs and initializes.
 */
export abstract class VirtioDriver<Config> {
  readonly definition: DriverDefinition;
  /** Called with the new configuration after the device changed it. */
  onConfigChange: ((config: Config) => void) | undefined;
  /** Told of what the device does wrong, and of handlers that fail. Without it the first failure goes to the console. */
  onError: ((error: Error) => void) | undefined;

  readonly #transport: DriverTransport;
  readonly #queueSize: number;
  readonly #withhold: readonly string[];
  #state: "new" | "starting" | "running" | "failed" | "stopped" = "new";
  #negotiated = FeatureSet.none;
  #dropped: readonly string[] = [];
  #config: { readonly value: Config } | undefined;
  #queues: DriverQueueSet | undefined;
  #generation = 0;
  #reading: Promise<unknown> = Promise.resolve();
  #refreshing: Promise<void> | undefined;
  #stale = false;
  #stopping: Promise<void> | undefined;
  #complained = false;

  constructor(definition: DriverDefinition, transport: DriverTransport, options: VirtioDriverOptions = {}) {
    this.definition = definition;
    this.#transport = transport;
    this.#queueSize = options.queueSize ?? 256;
    this.#withhold = options.withhold ?? [];
    this.onError = options.onError;
    this.onConfigChange = undefined;
    this.#config = undefined;
    this.#queues = undefined;
    this.#refreshing = undefined;
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
    if (this.#config === undefined) throw this.#stateError("the configuration has not been read yet");
    return this.#config.value;
  }

  /** Reads the configuration now. Rejects with a ProtocolError if it changes all the time. */
  refreshConfig(): Promise<Config> {
    // One after the other, so that an older reading never replaces a newer one.
    const reading = this.#reading.then(async () => {
      const { bytes, generation } = await readConfigSnapshot(this.#transport, this.definition.configSize);
      const value = this.decodeConfig(bytes, this.#negotiated);
      this.#config = { value };
      this.#generation = generation;
      return value;
    });
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  /** Resets the device. What is outstanding is rejected, and all memory is given back. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop(new ProtocolError("stopped", Clause.cleanup, "the driver was stopped"));
    return this.#stopping;
  }

  /** Generated: the configuration as an object. */
  protected abstract decodeConfig(bytes: Uint8Array, features: FeatureSet): Config;
  /** Generated: the queues to set up, with their handlers. Called once. */
  protected abstract queuePlan(features: FeatureSet, config: Config): readonly DriverQueuePlan[];

  /**
   * The sequence of "Device Initialization" (3.1). On failure the device is told so (FAILED), everything is given back
   * and the reason is thrown: a ProtocolError, or what the transport threw.
   */
  protected async initialize(features: readonly string[]): Promise<void> {
    if (this.#state !== "new") throw this.#stateError("it can be initialized only once");
    this.#state = "starting";
    try {
      await this.#initialize(features);
      this.#state = "running";
    } catch (error) {
      this.#state = "failed";
      await this.#giveUp(error instanceof Error ? error : new HandlerError("initialization", error));
      throw error;
    }
    this.#queues?.release();
  }

  /** Writes configuration bytes and reads the configuration again. */
  protected async writeConfigBytes(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.#state !== "running") throw this.#stateError("the configuration can be written while it is running");
    await this.#transport.writeConfig(offset, bytes);
    await this.refreshConfig();
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

  async #initialize(features: readonly string[]): Promise<void> {
    const transport = this.#transport;
    const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK } = DeviceStatus;
    if (transport.deviceId !== this.definition.id) {
      const text = `a device with id ${String(transport.deviceId)}, not ${String(this.definition.id)}`;
      throw new ProtocolError("device-id", Clause.initialization, text);
    }
    await this.#reset();
    await transport.setStatus(ACKNOWLEDGE);
    await transport.setStatus(ACKNOWLEDGE | DRIVER);

    const { accepted, dropped } = negotiate(this.definition, this.#wanted(features), await transport.getFeatures());
    this.#dropped = dropped.filter((name) => features.includes(name));
    await transport.setFeatures(accepted);
    await transport.setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if (((await transport.getStatus()) & FEATURES_OK) === 0) {
      throw new ProtocolError("features-refused", Clause.initialization, "the device refuses these features");
    }
    this.#negotiated = accepted;

    transport.onQueueUsed = (index) => this.#queues?.used(index);
    transport.onConfigChange = () => this.#configChanged();
    const config = await this.refreshConfig();
    this.#queues = new DriverQueueSet(transport, (error) => this.report(error));
    for (const plan of this.queuePlan(accepted, config)) {
      await this.#queues.add(plan, this.#queueSize, accepted);
    }
    await transport.setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    if (((await transport.getStatus()) & DeviceStatus.NEEDS_RESET) !== 0) throw this.#needsReset();
    // The device notifies of changes from DRIVER_OK on; this is for what changed just before.
    if ((await transport.configGeneration()) !== this.#generation) await this.refreshConfig();
  }

  #wanted(features: readonly string[]): string[] {
    for (const name of features) {
      if (Object.hasOwn(this.definition.features, name)) continue;
      if (SUPPORTED_COMMON_FEATURES.some((supported) => supported === name)) continue;
      throw new TypeError(`${this.definition.name} has no feature ${name} that this driver knows`);
    }
    return [...ALWAYS_WANTED, ...features].filter((name) => !this.#withhold.includes(name));
  }

  async #reset(): Promise<void> {
    await this.#transport.setStatus(0);
    for (let polls = 0; polls < MOST_RESET_POLLS; polls++) {
      if ((await this.#transport.getStatus()) === 0) return;
      await new Promise<void>((resolve) => nextTurn(resolve));
    }
    throw new ProtocolError("reset-incomplete", Clause.reset, "the device does not finish its reset");
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

  #configChanged(): void {
    this.#stale = true;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
  }

  /** Reads the configuration until no change is reported meanwhile. */
  async #refresh(): Promise<void> {
    for (let first = true; this.#stale && this.#state !== "stopped"; first = false) {
      // A device that reports changes all the time must not keep the event loop from its other work.
      if (!first) await new Promise<void>((resolve) => nextTurn(resolve));
      this.#stale = false;
      try {
        if (((await this.#transport.getStatus()) & DeviceStatus.NEEDS_RESET) !== 0) {
          const error = this.#needsReset();
          this.#queues?.fail(error);
          this.report(error);
          return;
        }
        const config = await this.refreshConfig();
        if (this.#state === "running") this.onConfigChange?.(config);
      } catch (error) {
        this.report(error instanceof Error ? error : new HandlerError("onConfigChange", error));
      }
    }
  }

  #needsReset(): ProtocolError {
    return new ProtocolError("device-needs-reset", Clause.status, "the device has met an error and needs a reset");
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
