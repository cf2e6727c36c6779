import { CommonFeature } from "../negotiation/common-feature.js";
import { DeviceStatus } from "../negotiation/device-status.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { hasLegacyInterface } from "../negotiation/legacy.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import { safeTrace, type Trace } from "../transport/trace.js";
import { Complaints } from "./complaints.js";
import { ConfigSpace } from "./config-space.js";
import { DeviceCondition } from "./device-condition.js";
import type { DeviceDefinition, QueuePlan } from "./device-definition.js";
import type { DeviceQueueControl } from "./device-queue-control.js";
import { DeviceHooks } from "./device-hooks.js";
import { DeviceFeatures } from "./device-features.js";
import { writeDeviceStatus } from "./device-status-machine.js";
import { DeviceStateError, type DeviceState } from "./device-state.js";
import { PlannedQueues } from "./planned-queues.js";
import { fittingState, restoreQueues, savedState } from "./save-restore.js";
import { DeviceOptionsError, offeredFeatures } from "./offered-features.js";
import type { VirtioDeviceOptions } from "./device-options.js";
import { allDone } from "./pending-work.js";

/**
 * What all devices share: status, feature negotiation, configuration space and the life of the queues. Generated
 * classes add the types. The first part is for the device's author, the second is called by the transport; nothing in
 * the second throws, whatever the driver does: it is refused, and `onProtocolError` is told.
 */
export abstract class VirtioDevice extends DeviceHooks {
  readonly definition: DeviceDefinition;
  /** For transports: what is read and written by {@link readConfig} and {@link writeConfig}. */
  readonly configSpace: ConfigSpace;
  /** Features that the device offers, less what its transport cannot do. */
  get offered(): FeatureSet {
    return this.#is.features.offered;
  }
  /**
   * Told of what the driver does wrong (ProtocolError, RingError, CodecError) and of handlers that fail (HandlerError).
   * Without it the first failure of a handler is written to the console.
   */
  onProtocolError: ((error: Error) => void) | undefined;

  readonly #is: DeviceCondition;
  readonly #queues: PlannedQueues;
  readonly #complaints: Complaints;
  /** A change of the configuration that the driver has not been told of. */
  #owesConfigChange = false;

  /**
   * @param features names from the definition or of common features, besides those that are always offered
   * @param configBytes the configuration space, `definition.configSize` bytes, kept and not copied
   */
  constructor(
    definition: DeviceDefinition,
    features: readonly string[],
    configBytes: Uint8Array,
    options: VirtioDeviceOptions = {},
  ) {
    super();
    const queueSize = options.queueSize ?? 256;
    if (!Number.isInteger(queueSize) || queueSize < 1 || queueSize > 32768) {
      throw new DeviceOptionsError(`queueSize is a whole number from 1 to 32768, not ${String(queueSize)}`);
    }
    this.definition = definition;
    this.onProtocolError = undefined;
    this.#complaints = new Complaints(definition.name);
    this.configSpace = new ConfigSpace(configBytes, definition.writableConfig, definition.configParts);
    const offered = offeredFeatures(definition, features, options.withhold);
    this.#is = new DeviceCondition(new DeviceFeatures(definition, offered), {
      report: (error) => this.report(error),
      needsReset: (error) => this.needsReset(error),
      queueReset: (queue) => options.queueReset?.(queue),
    });
    const numbering = options.queueNumbering ?? "specification";
    this.#queues = new PlannedQueues(this.#is, numbering, queueSize, () => this.#plan());
  }

  // ---- for the author of the device ----

  /** Features in force: accepted by the driver and by the device. None before FEATURES_OK. */
  get negotiated(): FeatureSet {
    return this.#is.negotiated;
  }
  /** The device status field, see {@link DeviceStatus}. */
  get status(): number {
    return this.#is.status;
  }
  /** Changes with every change that the device makes to its configuration. */
  get configGeneration(): number {
    return this.configSpace.generation;
  }
  /** The driver is ready and has not given up: queues are served, all but those whose ring is broken. */
  get live(): boolean {
    return this.#is.live;
  }
  /** A reset of the device is under way: somebody still holds on to guest memory, and the status reads as before. */
  get resetting(): boolean {
    return this.#is.resetting;
  }

  /** To be called after the device changed its configuration: a new generation, and the driver is told if it is ready. */
  protected configChanged(): void {
    this.configSpace.changed();
    this.#notifyConfig();
  }

  /** Sets DEVICE_NEEDS_RESET and tells the driver, if it is ready. What still works goes on until the reset. */
  protected needsReset(error: Error): void {
    this.report(error);
    if ((this.#is.status & DeviceStatus.NEEDS_RESET) !== 0) return;
    if (this.resetting) return;
    this.#is.status |= DeviceStatus.NEEDS_RESET;
    this.#is.transport?.statusChanged?.(this.#is.status);
    this.#notifyConfig();
  }

  /** Tells `onProtocolError`. */
  protected report(error: Error): void {
    this.#complaints.tell(this.onProtocolError, error);
  }

  // ---- for the transport ----

  /** Told of what happens; it never throws. That of the transport: a transport that tells of something itself does it here. */
  get trace(): Trace | undefined {
    return this.#is.trace;
  }

  /** A function that the transport was given by its user has failed. Tells `onProtocolError`, with a HandlerError. */
  handlerFailed(where: string, error: unknown): void {
    this.report(new HandlerError(where, error));
  }

  /** Connects the device to its transport. One at a time. */
  attach(transport: DeviceTransport): void {
    if (this.#is.transport !== undefined)
      throw new DeviceOptionsError(`${this.definition.name} has a transport already`);
    if (transport.legacy === true && !hasLegacyInterface(this.definition.id)) {
      throw new DeviceOptionsError(`${this.definition.name} has no legacy interface`);
    }
    this.#connect(transport);
  }
  #connect(transport: DeviceTransport | undefined): void {
    this.#is.transport = transport;
    this.#is.trace = safeTrace(transport?.trace, (error) => this.handlerFailed("trace", error));
    this.#is.features.offerOver(transport);
  }
  /** Takes the device off its transport, after a reset. */
  detach(): void {
    this.reset();
    this.#connect(undefined);
    this.#is.memoryAccess = true;
  }

  /**
   * Whether the device may reach guest memory; it may unless its transport says otherwise (bus mastering on PCI). Without
   * it the queues stand still: no chain is taken, those in flight are stale, and nothing is written. When it is allowed
   * again, what was in flight is served again, as after {@link restore}.
   */
  setMemoryAccess(isAllowed: boolean): void {
    if (isAllowed === this.#is.memoryAccess) return;
    this.#is.memoryAccess = isAllowed;
    for (const queue of this.#queues.kept) queue.memoryAccessChanged();
  }

  /**
   * To be called when the bytes that stand for guest memory are others than before, with the same contents (after
   * {@link GuestMemory.replace}), before anything else happens to the device. A WebAssembly.Memory that grows is such a
   * case: all views of it are empty then. What is in flight is served again, as after {@link restore}: a handler that still
   * works on such a request finds it stale.
   */
  memoryMoved(): void {
    for (const queue of this.#queues.kept) queue.memoryMoved();
  }

  /**
   * Everything back to the start: no features, no queues, all chains in flight stale, no more notifications. The status
   * reads 0 at once or, if somebody still holds on to guest memory, when that is over (2.4.1); until then `resetting` is
   * true and whatever the driver writes is ignored.
   */
  reset(): void {
    if (this.resetting) return;
    const queues = this.#queues.kept;
    this.#queues.forget();
    this.#is.suspension.forget();
    this.#owesConfigChange = false;
    this.#is.features.forget();
    // Not live from here on, so that a handler that still completes something notifies nobody.
    const status = this.#is.status;
    this.#is.status = 0;
    const reason = new ProtocolError("device-resetting", Clause.reset, "the device was reset");
    const ending = allDone(queues.map((queue) => queue.release(reason)));
    if (ending === undefined) {
      this.#ended();
      return;
    }
    this.#is.status = status;
    this.#is.ending = ending
      .catch((error: unknown) => this.report(new HandlerError("queueReset", error)))
      .then(() => this.#ended());
  }

  /**
   * Saves the device in operation and ends it here: afterwards it is as after a reset, and requests that are in flight are
   * stale. Whatever holds on to guest memory is waited for, so memory can be copied once the promise resolves. Rejects with
   * a DeviceStateError `busy` while the device is being reset or suspended, or a queue reset never ends.
   */
  async save(): Promise<DeviceState> {
    return (await this.saveWith(() => undefined)).device;
  }

  /** As {@link save}; `registers` says what the transport has to add, and is called once the device stands still. */
  async saveWith<Extra>(registers: () => Extra): Promise<{ readonly device: DeviceState; readonly registers: Extra }> {
    for (const queue of this.queues()) await queue.settled?.catch(() => undefined);
    const resetting = this.queues().some((queue) => queue.resetting);
    if (this.resetting || this.#is.suspending || resetting) {
      throw new DeviceStateError("busy", "a reset or a suspension is under way");
    }
    const state = savedState(this.definition, this.#is, this.configSpace.bytes, this.queues());
    const saved = { device: state, registers: registers() };
    this.reset();
    await this.#is.ending;
    return saved;
  }

  /**
   * Goes on where a saved device stopped. This one must be attached, to a transport with the same guest memory, and reset.
   * What was in flight is served again, once; the driver is notified, in case it was not. Throws a DeviceStateError, with
   * the device reset, if the state is malformed or does not fit.
   */
  restore(value: unknown): void {
    const transport = this.#is.transport;
    if (transport === undefined) throw new DeviceStateError("not-attached", "the device has no transport");
    if (this.#is.status !== 0 || this.resetting) throw new DeviceStateError("not-reset", "the device is in use");
    const { bytes } = this.configSpace;
    const { state, accepted, featuresOk } = fittingState(value, {
      definition: this.definition,
      offered: this.offered,
      configSize: bytes.length,
      legacy: transport.legacy === true,
    });
    const config = bytes.slice();
    try {
      bytes.set(state.config);
      this.#is.features.accept(accepted);
      // The queues are enabled first and served when DRIVER_OK is there.
      this.#is.status = state.status & ~(DeviceStatus.DRIVER_OK | DeviceStatus.SUSPEND);
      if (featuresOk) {
        this.#fixFeatures();
        restoreQueues(this.queues(), state.queues);
      }
    } catch (error) {
      bytes.set(config);
      this.reset();
      throw error;
    }
    this.#is.status = state.status;
    // Nobody knows what a suspended device owes.
    this.#owesConfigChange = this.#is.suspended;
    if (!this.live) return;
    for (const queue of this.queues()) {
      if (!queue.enabled) continue;
      queue.start();
      transport.notifyDriver(queue.index);
    }
    this.#guard("driverReady", () => this.driverReady?.());
    this.#notifyConfig();
  }

  /** A write of the driver to the device status field; 0 is a reset. */
  writeStatus(written: number): void {
    if (written === 0) this.reset();
    else if (!this.resetting) this.#advance(written);
    this.#is.trace?.({ kind: "status", written, status: this.#is.status });
  }

  /** What the driver has written as its features so far. */
  get driverFeatures(): FeatureSet {
    return this.#is.features.accepted;
  }

  /** The driver's features, as a whole. Ignored from FEATURES_OK on. */
  setDriverFeatures(features: FeatureSet): boolean {
    if (this.resetting) return false;
    if (this.#is.features.fixed) {
      this.report(new ProtocolError("features-frozen", Clause.initialization, "features written after FEATURES_OK"));
      return false;
    }
    this.#is.features.accept(features);
    this.#is.trace?.({ kind: "features", bits: features.bits() });
    return true;
  }

  /** The driver's features, 32 bits of them. Words that do not exist are ignored. */
  setDriverFeaturesWord(index: number, value: number): boolean {
    if (index !== 0 && index !== 1 && index !== 2 && index !== 3) return false;
    return this.setDriverFeatures(this.driverFeatures.withWord(index, value));
  }

  /** Reads configuration bytes from `offset` on; zeroes beyond the space. */
  readConfig(offset: number, target: Uint8Array): void {
    this.configSpace.read(offset, target, this.#is.features.layout);
  }

  /** A write of the driver to the configuration; bytes that it may not write now are left alone. */
  writeConfig(offset: number, source: Uint8Array): void {
    if (this.resetting) return;
    if (this.#is.suspended) {
      this.report(
        new ProtocolError("suspended", Clause.suspend, "configuration written while the device is suspended"),
      );
      return;
    }
    const { possible, layout } = this.#is.features;
    const { changed, written, error } = this.configSpace.write(offset, source, this.#is.status, possible, layout);
    this.#is.trace?.({ kind: "config-write", offset, length: source.length });
    if (error !== undefined) this.report(error);
    for (const { offset: at, length } of changed) {
      this.#guard("configWritten", () => this.configWritten?.(at, length, written));
    }
  }

  /**
   * The queue with this index, or undefined if there is none. Before FEATURES_OK the queues are those of all features
   * offered, so that a transport can tell their sizes.
   */
  queue(index: number): DeviceQueueControl | undefined {
    return this.#queues.get().get(index);
  }
  /** All queues, by index. */
  queues(): readonly DeviceQueueControl[] {
    return [...this.#queues.get().values()];
  }

  /**
   * A legacy driver is about to use a queue, which ends negotiation. False if the device cannot work with its features; there
   * is no way to tell it.
   */
  useLegacy(): boolean {
    if (this.resetting || this.#is.transport?.legacy !== true) return false;
    if (this.#is.features.fixed) return true;
    const refused = this.#refusal();
    if (refused === undefined) this.#fixFeatures();
    else this.report(refused);
    return this.#is.features.fixed;
  }

  #fixFeatures(): void {
    this.#is.features.fix();
    this.#queues.forget();
  }

  #advance(written: number): void {
    const before = this.#is.status;
    const { status, action, errors } = writeDeviceStatus(before, written, {
      featuresRefused: () => (this.#is.features.fixed ? undefined : this.#refusal()),
      suspendable: this.negotiated.has(CommonFeature.SUSPEND),
      legacy: this.#is.transport?.legacy === true,
    });
    const added = status & ~before;
    this.#is.status = status;
    for (const error of errors) this.report(error);
    const { FEATURES_OK, DRIVER_OK } = DeviceStatus;
    if ((added & (FEATURES_OK | DRIVER_OK)) !== 0 && !this.#is.features.fixed) this.#fixFeatures();
    if (action === "suspend") this.#suspend();
    else if (action === "resume") this.#resume();
    if ((added & DRIVER_OK) === 0 || !this.live) return;
    for (const queue of this.queues()) if (queue.enabled) queue.start();
    this.#guard("driverReady", () => this.driverReady?.());
    // It could not be told before.
    if ((before & DeviceStatus.NEEDS_RESET) !== 0) this.#notifyConfig();
  }

  /** No buffer is taken any more; when all that were taken have been used, the status says that the device is suspended. */
  #suspend(): void {
    const pause = (): Promise<void> | undefined => allDone(this.queues().map((queue) => queue.pause()));
    this.#is.suspension.begin([pause, () => this.deviceSuspend?.()], (failure) => {
      if (failure !== undefined) {
        this.needsReset(new HandlerError("deviceSuspend", failure.error));
        return;
      }
      this.#is.status = (this.#is.status | DeviceStatus.SUSPEND) & ~DeviceStatus.DRIVER_OK;
      this.#is.transport?.statusChanged?.(this.#is.status);
    });
  }

  #resume(): void {
    this.#is.status = (this.#is.status | DeviceStatus.DRIVER_OK) & ~DeviceStatus.SUSPEND;
    if (!this.live) return;
    try {
      this.deviceResume?.();
    } catch (error) {
      this.needsReset(new HandlerError("deviceResume", error));
    }
    for (const queue of this.queues()) if (queue.enabled) queue.resume();
    if (this.#owesConfigChange) this.#notifyConfig();
  }

  /** The reset is complete. */
  #ended(): void {
    const waited = this.resetting;
    this.#is.ending = undefined;
    this.#is.status = 0;
    this.#guard("deviceReset", () => this.deviceReset?.());
    if (waited) this.#is.transport?.statusChanged?.(0);
  }

  #refusal(): ProtocolError | undefined {
    const { features } = this.#is;
    const broken = features.refusal();
    if (broken !== undefined) return broken;
    let why: string | undefined;
    this.#guard("featuresRefused", () => {
      why = this.featuresRefused?.(features.accepted);
    });
    return why === undefined ? undefined : new ProtocolError("feature-rule", Clause.features, why);
  }

  #plan(): { readonly features: FeatureSet; readonly queues: readonly QueuePlan[] } {
    const features = this.#is.features.possible;
    let queues: readonly QueuePlan[] = [];
    this.#guard("queuePlan", () => {
      queues = this.queuePlan(features);
    });
    return { features, queues };
  }

  /** Tells the driver, if it is ready; when the device is suspended, it does so when it is resumed (3.4.2). */
  #notifyConfig(): void {
    this.#owesConfigChange = this.#is.suspended;
    if ((this.#is.status & DeviceStatus.DRIVER_OK) === 0 || this.resetting) return;
    this.#is.trace?.({ kind: "config-change", generation: this.configSpace.generation });
    this.#is.transport?.notifyConfig();
  }

  /** Runs what the author or a generated class wrote; what it throws is reported and goes no further. */
  #guard(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.report(new HandlerError(what, error));
    }
  }
}
