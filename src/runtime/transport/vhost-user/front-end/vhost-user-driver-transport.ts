import type { GuestMemory, MemoryAllocator } from "../../../memory/index.js";
import { CommonFeature } from "../../../negotiation/common-feature.js";
import { DeviceStatus } from "../../../negotiation/device-status.js";
import { Clause, ProtocolError } from "../../../negotiation/errors.js";
import { FeatureSet } from "../../../negotiation/feature-set.js";
import type { QueueAddresses } from "../../../ring/index.js";
import { beginning } from "../../../ring/queue-position.js";
import { loadSystemCalls, UnixSocket, watcherOf, type SystemCalls } from "../../posix/index.js";
import type { DriverTransport } from "../../driver-transport.js";
import { baseOf, ProtocolFeature, VhostFeature, VhostUserError, type CryptoSession } from "../protocol/index.js";
import { BackEndLink } from "./back-end-link.js";
import { DEFAULTS, UNSUPPORTED, wantedOf, type ConnectOptions } from "./connect-options.js";
import { closeCryptoSession, createCryptoSession } from "./crypto-messages.js";
import { DirtyPages } from "./dirty-pages.js";
import { asVhostUserError } from "./front-end-channel.js";
import { DriverMemory } from "./driver-memory.js";
import type { FrontEndRing } from "./front-end-ring.js";
import { FrontEndRings } from "./front-end-rings.js";
import { InflightOfRings, type MostRings } from "./inflight-of-rings.js";
import { KnownConfig } from "./known-config.js";
import { LastingLink } from "./lasting-link.js";
import { Logging } from "./logging.js";
import { queueCount } from "./queue-count.js";
import { checkSame, notTheSame } from "./same-device.js";

/** Driver side of vhost-user: a back end in another process, which is given memory and rings. */
export class VhostUserDriverTransport implements DriverTransport {
  readonly deviceId: number;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  onQueueUsed: ((index: number) => void) | undefined;
  onConfigChange: (() => void) | undefined;
  readonly #options: ConnectOptions;
  readonly #memory: DriverMemory;
  readonly #links: LastingLink;
  readonly #config: KnownConfig;
  readonly #logging: Logging;
  readonly #rings: FrontEndRings;
  /** Queues whose reset is not complete, and when they are stopped or given up. */
  readonly #resetting = new Map<number, Promise<void>>();
  /** What the driver accepted; undefined before it did. */
  #accepted: FeatureSet | undefined;
  /** As the first back end had it. */
  #protocolFeatures = FeatureSet.none;
  #offered = FeatureSet.none;
  #queues: number;
  #status = 0;
  #generation = 0;
  readonly #inflight = new InflightOfRings();
  /** A back end was lost, and with it what it had in flight; or it has said that a ring has failed. Until a reset. */
  #isLost = false;
  #isOpen = false;
  #isClosed = false;

  private constructor(system: SystemCalls, path: string, memory: DriverMemory, options: ConnectOptions) {
    this.deviceId = options.deviceId;
    const watcher = watcherOf(system);
    this.#options = options;
    this.#memory = memory;
    this.memory = memory.memory;
    this.allocator = memory.allocator;
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
    this.#config = new KnownConfig(options.config);
    this.#accepted = undefined;
    this.#queues = queueCount(undefined, options);
    this.#rings = new FrontEndRings({
      system,
      watcher,
      onUsed: (index) => this.onQueueUsed?.(index),
      onFailure: () => this.#failed(),
    });
    const { reconnect = false } = options;
    this.#links = new LastingLink({
      reconnect: reconnect === true ? {} : reconnect === false ? undefined : reconnect,
      dial: (onEnd) =>
        new BackEndLink(UnixSocket.connect(system, path), {
          system,
          watcher,
          patience: options.patience ?? DEFAULTS.patience,
          // What only a later one can do was never brought into use, and has nothing to go on with.
          wanted: this.#isOpen ? this.#protocolFeatures : wantedOf(options),
          onConfigChange: () => this.#configChanged(),
          // As messages. A ring that was stopped meanwhile is one all the same.
          onCall: (index) => (this.#rings.used(index), index < this.#queues),
          onFailure: (index) => (this.#rings.failed(index), index < this.#queues),
          onEnd,
        }),
      greet: (link) => link.greet(memory.given),
      resume: (link) => this.#resume(link),
      resumed: () => this.#resumed(),
      onEnd: (error) => this.#ended(error),
    });
    const { start, size } = memory.given;
    this.#logging = new Logging({
      links: this.#links,
      create: (onWritten) => new DirtyPages(system, watcher, start, start + size, onWritten),
      tell: (link) => this.#tellLogging(link),
    });
  }

  /** See {@link connect}. */
  static async open(path: string, options: ConnectOptions): Promise<VhostUserDriverTransport> {
    const system = await loadSystemCalls();
    const memory = DriverMemory.create(system, options.memorySize ?? DEFAULTS.memorySize);
    let transport;
    try {
      transport = new VhostUserDriverTransport(system, path, memory, options);
    } catch (error) {
      memory.release();
      throw error;
    }
    try {
      await transport.#open();
      return transport;
    } catch (error) {
      transport.close();
      throw error;
    }
  }

  /** Ends the connection and frees memory and descriptors. The driver should have stopped before. Safe to call twice. */
  close(): void {
    this.#links.end(new VhostUserError("peer-gone", "it was closed on this side"));
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#memory.release();
  }

  /** Is there a back end? */
  get connected(): boolean {
    return this.#links.current !== undefined;
  }

  async getStatus(): Promise<number> {
    // What is broken need not be asked, and may not answer. While a back end is waited for, all is as it was.
    const isAsked = !this.#isLost && this.connected && this.#has(ProtocolFeature.STATUS);
    if (!isAsked) return this.#status | this.#needsReset;
    const status = await this.#links.ask((link) => link.channel.askFor("u64", "GET_STATUS"));
    return Number(status & 0xffn) | this.#needsReset;
  }
  async setStatus(status: number): Promise<void> {
    if (status !== 0 && this.#links.ended === undefined) {
      await this.#links.tell((link) => {
        this.#status = status;
        return this.#tellStatus(link);
      });
      return;
    }
    this.#status = status;
    if (status === 0) await this.#reset();
  }
  getFeatures(): FeatureSet {
    return this.#offered.without(UNSUPPORTED);
  }
  async setFeatures(features: FeatureSet): Promise<void> {
    await this.#links.tell((link) => {
      this.#accepted = features;
      return link.setFeatures(features, this.#logging.isOn);
    });
  }

  async readConfig(offset: number, length: number): Promise<Uint8Array> {
    return await this.#config.read(offset, length, (bytes) => this.#links.ask((link) => link.readConfig(bytes)));
  }
  async writeConfig(offset: number, bytes: Uint8Array): Promise<void> {
    if (!this.#has(ProtocolFeature.CONFIG)) return;
    await this.#links.tell(async (link) => {
      const takeBack = this.#config.written(offset, bytes);
      try {
        await link.channel.tell("SET_CONFIG", { offset, flags: 0, bytes });
      } catch (error) {
        if (error instanceof VhostUserError && error.rule === "refused") takeBack();
        throw error;
      }
    });
  }
  configGeneration(): number {
    return this.#generation;
  }

  queueMaxSize(index: number): number {
    return index < this.#queues ? this.#queueSize : 0;
  }

  async enableQueue(index: number, addresses: QueueAddresses): Promise<void> {
    this.#checkDisabled(index);
    await this.#links.tell(async (link) => {
      this.#checkDisabled(index);
      const ring = this.#rings.add(index, addresses, !link.isInband);
      await this.#inflight.ensure(link, this.#mostRings);
      await ring.start(link, baseOf(beginning, this.#isPacked), this.#logging.isOn);
    });
  }
  queueEnabled(index: number): boolean {
    return this.#rings.at(index) !== undefined;
  }
  /** The protocol has no message for it: the ring is stopped, and started anew by {@link enableQueue}. */
  resetQueue(index: number): void {
    if (this.#accepted?.has(CommonFeature.RING_RESET) !== true) return;
    const ring = this.#rings.take(index);
    if (ring === undefined) return;
    this.#resetting.set(index, this.#stopRing(ring));
  }
  queueResetting(index: number): boolean {
    return this.#resetting.has(index);
  }
  notify(index: number): void {
    this.#rings.at(index)?.kick(this.#links.current);
  }

  /**
   * Makes a session of a crypto device by a message, for drivers whose back end has no control queue; CryptoMessages does that
   * for a generated driver. A ring has to be enabled. The session is lost with the back end, or with a reset.
   * @returns its number; undefined if the back end does not make it
   * @throws VhostUserError `not-negotiated`: the back end does not know such messages; `crypto-session`: a key is too long
   */
  async createCryptoSession(session: CryptoSession): Promise<bigint | undefined> {
    return await this.#links.ask((link) => createCryptoSession(link, session));
  }
  /** Ends a session. False: the back end says that there is none. It need not say anything. */
  async closeCryptoSession(id: bigint): Promise<boolean> {
    return await this.#links.ask((link) => closeCryptoSession(link, id));
  }

  /**
   * Has the back end mark the pages that it writes, from now on: data when a request is completed, rings when they are written.
   * The log stays on over resets, and when another back end takes the place of one that died: then all pages count as written.
   * @param onWritten told when there is something new
   * @returns what to take the pages from until {@link stopLog}
   * @throws VhostUserError `not-negotiated` when the back end has no log, `log-running` when it is on
   */
  async startLog(onWritten?: () => void): Promise<DirtyPages> {
    if (!this.#has(ProtocolFeature.LOG_SHMFD) || !this.#offered.has(VhostFeature.LOG_ALL)) {
      throw new VhostUserError("not-negotiated", "the back end has no log");
    }
    return await this.#logging.start(onWritten);
  }

  /**
   * Ends that. Returns the addresses of the pages that were written and not taken yet; the log is of no use any more.
   * @throws VhostUserError that ended the connection while the log was on: nobody knows what was written
   */
  async stopLog(): Promise<number[]> {
    return await this.#logging.stop();
  }

  async #tellLogging(link: BackEndLink): Promise<void> {
    if (this.#accepted !== undefined) await link.setFeatures(this.#accepted, this.#logging.isOn);
    for (const ring of this.#rings.all) await ring.setAddress(link, this.#logging.isOn);
    // Who does not acknowledge that has done it when it answers what comes after it.
    if (!link.channel.acknowledges) await link.channel.askFor("u64", "GET_FEATURES");
  }

  async #open(): Promise<void> {
    await this.#links.open();
    const link = this.#links.current;
    if (link === undefined) throw this.#links.ended ?? new VhostUserError("peer-gone", "at once");
    this.#offered = link.offered;
    this.#protocolFeatures = link.protocolFeatures;
    this.#queues = queueCount(link.queues, this.#options);
    this.#isOpen = true;
  }

  #checkDisabled(index: number): void {
    if (this.#resetting.has(index)) {
      throw new ProtocolError("queue-resetting", Clause.queueReset, `the reset of queue ${index} is not complete`);
    }
    if (this.queueEnabled(index)) {
      throw new ProtocolError("queue-already-enabled", Clause.queues, `queue ${index} is in use`);
    }
  }

  /** Never rejects: without a stop the reset never ends. */
  async #stopRing(ring: FrontEndRing): Promise<void> {
    try {
      // The ring of a back end that is gone has stopped.
      await this.#links.tellPresent((link) => ring.stop(link));
      this.#inflight.forget(ring.index);
      this.#resetting.delete(ring.index);
    } catch (error) {
      // It may still work on the ring: without a connection it does not.
      this.#links.end(asVhostUserError(error));
    } finally {
      ring.close();
    }
  }

  /** Done when the back end does not touch memory any more. */
  async #reset(): Promise<void> {
    const rings = this.#rings.takeAll();
    this.#accepted = undefined;
    this.#isLost = false;
    this.#config.reset();
    try {
      // A reset of what is gone is done.
      await this.#links.tellPresent(async (link) => {
        for (const ring of rings) await ring.stop(link);
        if (link.has(ProtocolFeature.RESET_DEVICE)) await link.channel.tell("RESET_DEVICE", undefined);
        await this.#tellStatus(link);
      });
      await Promise.all(this.#resetting.values());
      // It may have gone just now.
      this.#isLost = false;
    } catch (error) {
      // It may still work on rings that nobody knows any more.
      this.#links.end(asVhostUserError(error));
      throw error;
    } finally {
      for (const ring of rings) ring.close();
      this.#inflight.close();
    }
  }

  // ---- another back end ----

  /** Tells a back end all that the one before it was told. */
  async #resume(link: BackEndLink): Promise<void> {
    checkSame(link, queueCount(link.queues, this.#options), {
      features: this.#accepted,
      protocolFeatures: this.#protocolFeatures,
      queues: this.#queues,
    });
    await this.#logging.resume(link);
    if (this.#accepted !== undefined) await link.setFeatures(this.#accepted, this.#logging.isOn);
    if (this.#has(ProtocolFeature.CONFIG)) {
      const difference = await this.#config.difference((bytes) => link.readConfig(bytes));
      if (difference !== undefined) throw notTheSame(difference);
      for (const [offset, bytes] of this.#config.writes) {
        await link.channel.tell("SET_CONFIG", { offset, flags: 0, bytes });
      }
    }
    // The driver is ready when its rings are set up (3.1.1).
    await this.#tellStatus(link, this.#status & ~DeviceStatus.DRIVER_OK);
    await this.#resumeRings(link);
    if ((this.#status & DeviceStatus.DRIVER_OK) !== 0) await this.#tellStatus(link);
  }

  async #resumeRings(link: BackEndLink): Promise<void> {
    if (this.#rings.size === 0) {
      // Nothing is in flight. The first ring asks for a region.
      this.#inflight.close();
      return;
    }
    if (!this.#inflight.isKept && !link.has(ProtocolFeature.INFLIGHT_SHMFD)) {
      // Nobody knows what was in flight.
      this.#isLost = true;
      this.#rings.close();
      return;
    }
    await this.#inflight.give(link, this.#mostRings);
    for (const ring of this.#rings.all) {
      await ring.start(link, ring.lostBase(this.memory, this.#isPacked), this.#logging.isOn);
    }
  }

  #resumed(): void {
    if (this.#isLost) this.onConfigChange?.();
    for (const ring of this.#rings.all) {
      // The one that is gone may have seen a kick and not the buffers, or used buffers and not told it.
      ring.kick(this.#links.current);
      this.onQueueUsed?.(ring.index);
    }
  }

  async #tellStatus(link: BackEndLink, status = this.#status): Promise<void> {
    if (link.has(ProtocolFeature.STATUS)) await link.channel.tell("SET_STATUS", BigInt(status));
  }

  /** A ring has failed: for the driver, the device has. */
  #failed(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    // The driver reads the status then.
    this.onConfigChange?.();
  }

  #configChanged(): void {
    this.#generation++;
    this.#config.changed();
    this.onConfigChange?.();
  }
  #ended(error: VhostUserError): void {
    this.#isLost = true;
    this.#rings.close();
    this.#inflight.close();
    this.#logging.close(error);
    // Before that, whoever connects is told.
    if (this.#isOpen) this.#options.onEnd?.(error);
    // The driver reads the status then, and finds that the device needs a reset.
    this.onConfigChange?.();
  }

  get #needsReset(): number {
    return this.#isLost ? DeviceStatus.NEEDS_RESET : 0;
  }
  get #mostRings(): MostRings {
    return { queues: this.#queues, queueSize: this.#queueSize, isPacked: this.#isPacked };
  }
  get #isPacked(): boolean {
    return this.#accepted?.has(CommonFeature.RING_PACKED) ?? false;
  }
  get #queueSize(): number {
    return this.#options.queueSize ?? DEFAULTS.queueSize;
  }
  #has(feature: number): boolean {
    return this.#protocolFeatures.has(feature);
  }
}
