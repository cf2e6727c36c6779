import type { VirtioDevice } from "../../../device/index.js";
import { CommonFeature, DeviceStatus, FeatureSet } from "../../../negotiation/index.js";
import { EventFd, SystemCallError, UnixSocket, type SystemCalls, type Watcher } from "../../posix/index.js";
import {
  backEndTable,
  CONFIG_MIGRATION,
  decodePayload,
  encodePayload,
  MessageChannel,
  ProtocolFeature,
  VhostFeature,
  VhostUserError,
  type BackEndRequest,
  type FrontEndRequest,
  type Message,
  type SharedRegion,
} from "../protocol/index.js";
import { withKept } from "./kept-features.js";
import { DirtyLog } from "./dirty-log.js";
import { InflightRegion } from "./inflight-region.js";
import { mostRegions, SharedRegions } from "./shared-regions.js";
import { VringSet } from "./vring-set.js";
import type { Vring } from "./vring.js";

/** What a session needs to know of how it is served. */
export interface SessionOptions {
  readonly system: SystemCalls;
  readonly watcher: Watcher;
  /** Milliseconds that a stop of a ring waits for requests. */
  readonly stopTimeout: number;
  readonly report: (error: Error) => void;
}

/** What is sent back for a request. */
export interface Reply {
  readonly payload: Uint8Array;
  readonly fds?: readonly number[];
}

/** Protocol features that are offered. */
const offeredProtocolFeatures = FeatureSet.of([
  ProtocolFeature.MQ,
  ProtocolFeature.LOG_SHMFD,
  ProtocolFeature.REPLY_ACK,
  ProtocolFeature.BACKEND_REQ,
  ProtocolFeature.CONFIG,
  ProtocolFeature.INFLIGHT_SHMFD,
  ProtocolFeature.RESET_DEVICE,
  ProtocolFeature.CONFIGURE_MEM_SLOTS,
  ProtocolFeature.STATUS,
]);

const vhostFeatures = FeatureSet.of([VhostFeature.LOG_ALL, VhostFeature.PROTOCOL_FEATURES]);
const negotiating = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
const mostConfigWrites = 64;

/** What one front end has set up, and what its requests do. */
export class Session {
  readonly regions: SharedRegions;
  readonly rings: VringSet;
  protocolFeatures = FeatureSet.none;
  readonly #device: VirtioDevice;
  readonly #options: SessionOptions;
  readonly #log: DirtyLog;
  #inflight: InflightRegion | undefined;
  /** Features of the front end, with those of the protocol; undefined before they are known. */
  #features: FeatureSet | undefined;
  /** The features that the device runs with. */
  #running: FeatureSet | undefined;
  #channel: MessageChannel<BackEndRequest> | undefined;
  /** Writes to the configuration that came before the features; in order. */
  #configWrites: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  /** Generation of the configuration that the front end has read. */
  #configSeen: number;
  #status = 0;

  constructor(device: VirtioDevice, options: SessionOptions) {
    this.#device = device;
    this.#options = options;
    this.regions = new SharedRegions(options.system);
    this.#log = new DirtyLog(options.system);
    this.rings = new VringSet(device, options.watcher, this.regions, this.#log, options.stopTimeout);
    this.#inflight = undefined;
    this.#features = undefined;
    this.#running = undefined;
    this.#channel = undefined;
    this.#configSeen = device.configGeneration;
  }

  /** Features as GET_FEATURES says them. */
  get offered(): FeatureSet {
    return this.#device.offered.or(vhostFeatures);
  }

  /** Tells the front end that the configuration changed. */
  notifyConfig(): void {
    if (this.#channel === undefined || !this.protocolFeatures.has(ProtocolFeature.CONFIG)) return;
    try {
      this.#channel.request("CONFIG_CHANGE_MSG", encodePayload("none", undefined));
    } catch (error) {
      this.#options.report(error instanceof Error ? error : new Error(String(error)));
      this.#channel.close();
      this.#channel = undefined;
    }
  }

  /** Frees everything but the memory, which is let go of when nobody works in it any more. */
  close(): void {
    this.rings.close();
    this.#channel?.close();
    this.#channel = undefined;
    this.#log.close();
    this.#inflight?.close();
    this.#inflight = undefined;
  }

  /**
   * Does what a request asks for. Descriptors that are kept are taken out of `fds`; the caller closes the others.
   * @throws VhostUserError when the request breaks a rule.
   */
  async handle(message: Message<FrontEndRequest>, fds: number[]): Promise<Reply | undefined> {
    const { name } = message;
    switch (name) {
      case "GET_FEATURES":
        return u64(this.offered.toBigInt() & 0xffff_ffff_ffff_ffffn);
      case "SET_FEATURES":
        return this.#setFeatures(featuresOf(decodePayload("u64", message)));
      case "GET_PROTOCOL_FEATURES":
        return u64(offeredProtocolFeatures.toBigInt());
      case "SET_PROTOCOL_FEATURES":
        return this.#setProtocolFeatures(featuresOf(decodePayload("u64", message)));
      case "SET_OWNER":
      case "RESET_OWNER":
        return undefined;
      case "GET_QUEUE_NUM":
        return u64(BigInt(this.rings.queueCount));
      case "SET_MEM_TABLE":
        this.regions.setTable(decodePayload("memoryTable", message), fds);
        this.rings.checkMemory();
        return undefined;
      case "GET_MAX_MEM_SLOTS":
        return u64(BigInt(mostRegions));
      case "ADD_MEM_REG":
        this.regions.add(decodePayload("memoryRegion", message), fds[0] ?? -1);
        return undefined;
      case "REM_MEM_REG":
        return this.#removeRegion(decodePayload("memoryRegion", message));
      case "SET_VRING_NUM": {
        const { index, num } = decodePayload("vringState", message);
        this.rings.setSize(index, num);
        return undefined;
      }
      case "SET_VRING_ADDR":
        this.rings.setAddress(decodePayload("vringAddress", message), this.#isPacked);
        return undefined;
      case "SET_VRING_BASE": {
        const { index, num } = decodePayload("vringState", message);
        this.rings.setBase(index, num);
        return undefined;
      }
      case "GET_VRING_BASE": {
        const { index } = decodePayload("vringState", message);
        const num = await this.rings.stop(this.rings.at(index), this.#options.report);
        return { payload: encodePayload("vringState", { index, num }) };
      }
      case "SET_VRING_KICK": {
        const ring = this.#ringOf(message);
        ring.setKick(this.#takeEventFd(fds));
        return this.#startIfReady(ring);
      }
      case "SET_VRING_CALL":
        this.#ringOf(message).setCall(this.#takeEventFd(fds));
        return undefined;
      case "SET_VRING_ERR":
        this.#ringOf(message).setError(this.#takeEventFd(fds));
        return undefined;
      case "SET_VRING_ENABLE": {
        const { index, num } = decodePayload("vringState", message);
        return this.#enable(this.rings.at(index), num !== 0);
      }
      case "VRING_KICK": {
        const { index } = decodePayload("vringState", message);
        this.rings.at(index).onKick?.();
        return undefined;
      }
      case "GET_CONFIG":
        return this.#getConfig(message);
      case "SET_CONFIG":
        return this.#setConfig(message);
      case "SET_BACKEND_REQ_FD":
        return this.#setChannel(fds);
      case "SET_LOG_BASE":
        this.#log.setArea(decodePayload("log", message), fds[0] ?? -1, this.regions.end);
        return u64(0n);
      case "SET_LOG_FD":
        this.#log.setEvent(this.#takeEventFd(fds));
        return undefined;
      case "GET_INFLIGHT_FD":
        return this.#getInflight(message);
      case "SET_INFLIGHT_FD":
        return this.#setInflight(message, fds);
      case "RESET_DEVICE":
        return this.#resetDevice();
      case "SET_STATUS":
        // The rings say more: a front end writes 0 for a pause of the machine, too.
        this.#status = Number(decodePayload("u64", message) & 0xffn);
        return undefined;
      case "GET_STATUS":
        return u64(BigInt(this.#status | (this.#device.status & DeviceStatus.NEEDS_RESET)));
      case "NET_SET_MTU":
        throw new VhostUserError("not-negotiated", name);
    }
  }

  // ---- features ----

  get #isPacked(): boolean {
    return this.#features?.has(CommonFeature.RING_PACKED) ?? false;
  }

  #setFeatures(features: FeatureSet): Reply | undefined {
    const foreign = features.without(this.offered);
    if (!foreign.isEmpty) {
      throw new VhostUserError("features", `bits ${foreign.bits().join(", ")} are not offered`);
    }
    if (this.rings.anyRunning) {
      const before = this.#features?.without(vhostFeatures) ?? FeatureSet.none;
      if (!before.equals(features.without(vhostFeatures))) {
        throw new VhostUserError("features", `changed to bits ${features.bits().join(", ")} while a ring runs`);
      }
    }
    this.#features = features;
    this.#log.isOn = features.has(VhostFeature.LOG_ALL);
    return undefined;
  }

  #setProtocolFeatures(features: FeatureSet): Reply | undefined {
    const foreign = features.without(offeredProtocolFeatures);
    if (!foreign.isEmpty) {
      throw new VhostUserError("features", `protocol features ${foreign.bits().join(", ")} are not offered`);
    }
    this.protocolFeatures = features;
    return undefined;
  }

  /** Before the first ring runs: the device takes over what the front end has negotiated, or goes on where it was. */
  async #begin(): Promise<void> {
    const features = this.#features?.without(vhostFeatures);
    if (features === undefined) throw new VhostUserError("features", "a ring is started before SET_FEATURES");
    const device = this.#device;
    if (device.live && this.#running?.equals(features) === true && this.rings.goOn) return;
    // This process has been there all the time: only after a crash is anything in flight when a driver starts anew.
    if (this.#running !== undefined) this.#inflight?.discard();
    await this.#reset();
    device.writeStatus(negotiating);
    device.setDriverFeatures(withKept(features, device.definition.requires, this.offered));
    device.writeStatus(negotiating | DeviceStatus.FEATURES_OK);
    if ((device.status & DeviceStatus.FEATURES_OK) === 0) {
      throw new VhostUserError("features", `the device does not work with bits ${features.bits().join(", ")}`);
    }
    this.#running = features;
    for (const { offset, bytes } of this.#configWrites) device.writeConfig(offset, bytes);
    this.#configWrites = [];
  }

  async #reset(): Promise<void> {
    const device = this.#device;
    device.reset();
    const until = performance.now() + this.#options.stopTimeout;
    while (device.resetting) {
      if (performance.now() > until) throw new VhostUserError("memory-in-use", "the reset of the device does not end");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.#running = undefined;
  }

  async #resetDevice(): Promise<Reply | undefined> {
    this.rings.reset();
    await this.#reset();
    this.#status = 0;
    return undefined;
  }

  // ---- rings ----

  async #startIfReady(ring: Vring): Promise<Reply | undefined> {
    const enabled = ring.isEnabled || this.#features?.has(VhostFeature.PROTOCOL_FEATURES) !== true;
    if (ring.isRunning) ring.poll();
    if (ring.isRunning || !enabled || !ring.isKickable || ring.size === 0 || ring.address === undefined) {
      return undefined;
    }
    if (!this.rings.anyRunning) await this.#begin();
    this.rings.start(ring, this.#isPacked, this.#inflight);
    this.#device.writeStatus(negotiating | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK);
    if (this.#configSeen !== this.#device.configGeneration) {
      this.#configSeen = this.#device.configGeneration;
      this.notifyConfig();
    }
    return undefined;
  }

  async #enable(ring: Vring, isEnabled: boolean): Promise<Reply | undefined> {
    ring.isEnabled = isEnabled;
    if (isEnabled) return this.#startIfReady(ring);
    if (ring.isRunning) await this.rings.pause(ring, this.#options.report);
    return undefined;
  }

  #ringOf(message: Message<FrontEndRequest>): Vring {
    return this.rings.at(Number(decodePayload("u64", message) & 0xffn));
  }

  #takeEventFd(fds: number[]): EventFd | undefined {
    const [fd] = fds;
    if (fd === undefined) return undefined;
    try {
      const event = new EventFd(this.#options.system, fd);
      fds.shift();
      return event;
    } catch (error) {
      throw new VhostUserError("descriptor", String(error), { cause: error });
    }
  }

  #removeRegion(region: SharedRegion): Reply | undefined {
    this.regions.remove(region);
    this.rings.checkMemory();
    return undefined;
  }

  // ---- configuration ----

  #getConfig(message: Message<FrontEndRequest>): Reply {
    const { offset, flags, bytes } = decodePayload("config", message);
    const { configSize } = this.#device.definition;
    // An empty payload says that it cannot be read.
    if (offset > configSize) return { payload: new Uint8Array(0) };
    const found = new Uint8Array(bytes.length);
    this.#device.readConfig(offset, found);
    this.#configSeen = this.#device.configGeneration;
    return { payload: encodePayload("config", { offset, flags, bytes: found }) };
  }

  #setConfig(message: Message<FrontEndRequest>): Reply | undefined {
    const { offset, flags, bytes } = decodePayload("config", message);
    const { configSize } = this.#device.definition;
    if (flags > CONFIG_MIGRATION) throw new VhostUserError("config-range", `flags ${flags}`);
    if (offset + bytes.length > configSize) {
      throw new VhostUserError("config-range", `${bytes.length} bytes at ${offset} of ${configSize}`);
    }
    // After a migration the fields that the driver cannot write are this device's own.
    if (flags === CONFIG_MIGRATION) return undefined;
    if (this.#running !== undefined) this.#device.writeConfig(offset, bytes);
    else if (this.#configWrites.length < mostConfigWrites) this.#configWrites.push({ offset, bytes });
    else throw new VhostUserError("config-range", "too many writes before the device is started");
    return undefined;
  }

  #setChannel(fds: number[]): Reply | undefined {
    const [fd] = fds;
    if (fd === undefined) return undefined;
    this.#channel?.close();
    try {
      this.#options.system.setNonBlocking(fd);
      this.#channel = new MessageChannel(new UnixSocket(this.#options.system, fd), backEndTable, "replies");
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw new VhostUserError("descriptor", error.message, { cause: error });
    }
    fds.shift();
    return undefined;
  }

  // ---- requests in flight ----

  #getInflight(message: Message<FrontEndRequest>): Reply {
    const { queues, queueSize } = decodePayload("inflight", message);
    const made = InflightRegion.create(this.#options.system, queues, queueSize, this.#isPacked);
    this.#inflight?.close();
    this.#inflight = made.region;
    return { payload: encodePayload("inflight", made.area), fds: [made.fd] };
  }

  #setInflight(message: Message<FrontEndRequest>, fds: readonly number[]): Reply | undefined {
    if (this.rings.anyRunning) throw new VhostUserError("ring-running", "SET_INFLIGHT_FD");
    const area = decodePayload("inflight", message);
    const region = InflightRegion.open(this.#options.system, area, fds[0] ?? -1, this.#isPacked);
    this.#inflight?.close();
    this.#inflight = region;
    return undefined;
  }
}

function u64(value: bigint): Reply {
  return { payload: encodePayload("u64", value) };
}

function featuresOf(value: bigint): FeatureSet {
  return FeatureSet.fromWords([Number(value & 0xffff_ffffn), Number(value >> 32n)]);
}
