import type { VirtioDevice } from "../../../device/index.js";
import type { GuestMemory } from "../../../memory/index.js";
import { CommonFeature, DeviceStatus, FeatureSet } from "../../../negotiation/index.js";
import { canHandOverFaults, EventFd } from "../../posix/index.js";
import {
  decodePayload,
  encodePayload,
  ProtocolFeature,
  VhostFeature,
  VhostUserError,
  type FrontEndRequest,
  type Message,
} from "../protocol/index.js";
import { BackEndChannel } from "./back-end-channel.js";
import { ConfigRequests } from "./config-requests.js";
import { CryptoSessions } from "./crypto-sessions.js";
import { DirtyLog } from "./dirty-log.js";
import { InbandNotifications } from "./inband-notifications.js";
import { InflightRequests } from "./inflight-requests.js";
import { Iotlb } from "./iotlb/iotlb.js";
import { setLogArea, setLogEvent } from "./log-requests.js";
import { Negotiation } from "./negotiation.js";
import { announce, setMtu } from "./network-requests.js";
import { offeredProtocolFeatures } from "./offered-protocol-features.js";
import { PostCopy } from "./post-copy.js";
import { u64, type Reply } from "./reply.js";
import type { SessionOptions } from "./session-options.js";
import { mostRegions, SharedRegions } from "./shared-regions.js";
import type { SessionWorkers } from "./workers/session-workers.js";
import { VringSet } from "./vring-set.js";
import type { Vring } from "./vring.js";

/** What one front end has set up, and what its requests do. */
export class Session {
  readonly regions: SharedRegions;
  readonly rings: VringSet;
  readonly postCopy: PostCopy;
  readonly #device: VirtioDevice;
  readonly #options: SessionOptions;
  readonly #negotiation: Negotiation;
  readonly #channel: BackEndChannel;
  readonly #inband: InbandNotifications;
  readonly #config: ConfigRequests;
  readonly #inflight: InflightRequests;
  readonly #log: DirtyLog;
  readonly #crypto: CryptoSessions;
  readonly #workers: SessionWorkers | undefined;
  /** Between the driver's addresses and memory, if the driver wants that. */
  readonly #iotlb: Iotlb;
  /** The copies of the configuration in Workers become as it is. */
  #mirroring: Promise<void> | undefined;
  /** The device of a Worker needs a reset. */
  #workerNeedsReset = false;
  #status = 0;

  constructor(device: VirtioDevice, options: SessionOptions, workers: SessionWorkers | undefined) {
    this.#device = device;
    this.#options = options;
    this.#mirroring = undefined;
    this.regions = new SharedRegions(options.system);
    this.postCopy = new PostCopy(options.system, this.regions);
    const takesFaults = canHandOverFaults(options.system);
    const offered = offeredProtocolFeatures(device, options, takesFaults);
    this.#negotiation = new Negotiation(device, options.stopTimeout, offered);
    this.#channel = new BackEndChannel(options);
    this.#inband = new InbandNotifications(this.#channel, () =>
      this.protocolFeatures.has(ProtocolFeature.INBAND_NOTIFICATIONS),
    );
    this.#config = new ConfigRequests(device, this.#channel);
    this.#inflight = new InflightRequests(options.system);
    this.#log = new DirtyLog(options.system);
    this.#crypto = new CryptoSessions(device, options.stopTimeout, options.report);
    this.#workers = workers;
    this.#iotlb = new Iotlb(this.regions, {
      channel: this.#channel,
      isAnswered: () => this.protocolFeatures.has(ProtocolFeature.REPLY_ACK),
      rings: () => this.rings.all,
      isPacked: () => this.#negotiation.isPacked,
      halt: (ring) => this.rings.halt(ring),
      start: (ring) => this.#startIfReady(ring),
      failed: (ring, error) => this.rings.failed(ring, error),
    });
    this.rings = new VringSet(device, options, this.#iotlb, this.#log, this.#inband, workers);
  }

  /** Memory as the driver's addresses mean it. */
  get memory(): GuestMemory {
    return this.#iotlb.memory;
  }

  get protocolFeatures(): FeatureSet {
    return this.#negotiation.protocolFeatures;
  }

  /** The device has used buffers of a queue. */
  used(queue: number): void {
    this.rings.call(queue);
    this.#crypto.used(queue);
  }

  /** The configuration has changed: tells the front end, and Workers first. */
  notifyConfig(): void {
    const notify = (): void => {
      if (this.protocolFeatures.has(ProtocolFeature.CONFIG)) this.#config.notify();
    };
    if (this.#workers === undefined) {
      notify();
      return;
    }
    // Without a Worker the connection ends.
    this.#mirroring = this.#workers.mirrorConfig().then(notify, () => undefined);
  }

  /** The device of a Worker needs a reset. */
  needsReset(): void {
    this.#workerNeedsReset = true;
    this.rings.fail();
    this.notifyConfig();
  }

  /** Frees everything but the memory, which is let go of when nobody works in it any more. */
  close(): void {
    this.rings.close();
    this.#channel.close();
    this.#log.close();
    this.postCopy.close();
    this.#inflight.close();
  }

  /**
   * Does what a request asks for. Descriptors that are kept are taken out of `fds`; the caller closes the others.
   * @throws VhostUserError when the request breaks a rule.
   */
  async handle(message: Message<FrontEndRequest>, fds: number[]): Promise<Reply | undefined> {
    const { name } = message;
    if (this.postCopy.isOn) {
      const done = this.postCopy.handle(message, fds);
      if (done === "memory-changed") return this.#memoryChanged();
      if (done !== undefined) return done === "done" ? undefined : done;
    }
    switch (name) {
      case "GET_FEATURES":
        return u64(this.#negotiation.offered.toBigInt() & 0xffff_ffff_ffff_ffffn);
      case "SET_FEATURES":
        return this.#setFeatures(featuresOf(decodePayload("u64", message)));
      case "GET_PROTOCOL_FEATURES":
        return u64(this.#negotiation.offeredProtocolFeatures.toBigInt());
      case "SET_PROTOCOL_FEATURES":
        this.#negotiation.setProtocolFeatures(featuresOf(decodePayload("u64", message)), this.rings.anyRunning);
        return undefined;
      case "SET_OWNER":
      case "RESET_OWNER":
        return undefined;
      case "GET_QUEUE_NUM":
        return u64(BigInt(this.rings.queueCount));
      case "SET_MEM_TABLE": {
        const table = decodePayload("memoryTable", message);
        this.rings.checkTable(table);
        this.regions.setTable(table, fds);
        return this.#memoryChanged();
      }
      case "GET_MAX_MEM_SLOTS":
        return u64(BigInt(mostRegions));
      case "ADD_MEM_REG":
        this.regions.add(decodePayload("memoryRegion", message), fds[0] ?? -1);
        return this.#memoryChanged();
      case "REM_MEM_REG":
        this.regions.remove(decodePayload("memoryRegion", message));
        return this.#memoryChanged();
      case "SET_VRING_NUM": {
        const { index, num } = decodePayload("vringState", message);
        this.rings.setSize(index, num);
        return undefined;
      }
      case "SET_VRING_ADDR":
        await this.rings.setAddress(decodePayload("vringAddress", message), this.#negotiation.isPacked);
        return undefined;
      case "SET_VRING_BASE": {
        const { index, num } = decodePayload("vringState", message);
        this.rings.setBase(index, num);
        return undefined;
      }
      case "GET_VRING_BASE": {
        const { index } = decodePayload("vringState", message);
        const ring = this.rings.at(index);
        // From here on nothing that the front end answers starts it.
        this.#iotlb.forget(index);
        const num = await this.rings.stop(ring);
        return { payload: encodePayload("vringState", { index, num }) };
      }
      case "SET_VRING_KICK": {
        const ring = this.#ringOf(message);
        await this.rings.setKick(ring, this.#takeEventFd(fds));
        return this.#startIfReady(ring);
      }
      case "SET_VRING_CALL":
        await this.rings.setCall(this.#ringOf(message), this.#takeEventFd(fds));
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
        return this.#kicked(this.rings.at(index));
      }
      case "GET_CONFIG":
        await this.#mirroring;
        return this.#config.read(message);
      case "SET_CONFIG":
        return this.#writeConfig(message);
      case "SET_BACKEND_REQ_FD":
        this.#channel.open(fds);
        // What rings have called for over another channel, or before there was one, may not have come.
        if (this.#inband.isOn) this.rings.callAll();
        return undefined;
      case "IOTLB_MSG":
        await this.#iotlb.handle(message);
        return undefined;
      case "SET_LOG_BASE":
        await setLogArea(this.#log, this.#workers, this.regions.end, decodePayload("log", message), fds[0] ?? -1);
        return u64(0n);
      case "SET_LOG_FD":
        await setLogEvent(this.#log, this.#workers, this.#takeEventFd(fds));
        return undefined;
      case "CREATE_CRYPTO_SESSION": {
        const created = await this.#crypto.create(decodePayload("cryptoSession", message));
        return { payload: encodePayload("cryptoSession", created) };
      }
      case "CLOSE_CRYPTO_SESSION":
        await this.#crypto.close(decodePayload("u64", message), message.needReply);
        return undefined;
      case "GET_INFLIGHT_FD":
        if (this.rings.anyRunning) throw new VhostUserError("ring-running", name);
        return this.#inflight.create(message, this.#negotiation.isPacked);
      case "SET_INFLIGHT_FD":
        if (this.rings.anyRunning) throw new VhostUserError("ring-running", name);
        this.#inflight.open(message, fds[0] ?? -1, this.#negotiation.isPacked);
        return undefined;
      case "RESET_DEVICE":
        return this.#resetDevice();
      case "SET_STATUS":
        // The rings say more: a front end writes 0 for a pause of the machine, too.
        this.#status = Number(decodePayload("u64", message) & 0xffn);
        return undefined;
      case "GET_STATUS":
        return u64(BigInt(this.#status | (this.#deviceStatus & DeviceStatus.NEEDS_RESET)));
      case "POSTCOPY_ADVISE":
        return this.postCopy.advise();
      case "NONE":
      case "POSTCOPY_LISTEN":
      case "POSTCOPY_END":
        throw new VhostUserError("postcopy-order", name);
      case "NET_SET_MTU":
        setMtu(this.#options.network, message);
        return undefined;
      case "SEND_RARP":
        announce(this.#options.network, message);
        return undefined;
    }
  }

  async #setFeatures(features: FeatureSet): Promise<Reply | undefined> {
    this.#negotiation.setFeatures(features, this.rings.anyRunning);
    this.#log.isOn = features.has(VhostFeature.LOG_ALL);
    if (!this.rings.anyRunning) this.#iotlb.negotiate(features.has(CommonFeature.ACCESS_PLATFORM));
    await this.#workers?.setLog(this.#log);
    return undefined;
  }

  /** What works in memory that is gone stands still before that is let go of, and goes on in what has come in its place. */
  async #memoryChanged(): Promise<Reply | undefined> {
    await this.#workers?.setMemory(this.regions.mapped);
    await this.rings.leaveMemory(this.regions.gone);
    await this.#iotlb.memoryChanged();
    this.regions.releaseGone();
    await this.rings.goOnInMemory((ring) => this.#startIfReady(ring));
    return undefined;
  }

  async #writeConfig(message: Message<FrontEndRequest>): Promise<Reply | undefined> {
    const { isRunning } = this.#negotiation;
    if (!isRunning) this.#negotiation.beginForConfig();
    const writes = this.#config.write(message, isRunning);
    // Until it runs, the replicas of the device in Workers have no part in it.
    for (const write of isRunning ? writes : []) await this.#workers?.writeConfig(write);
    return undefined;
  }

  get #deviceStatus(): number {
    return this.#device.status | (this.#workerNeedsReset ? DeviceStatus.NEEDS_RESET : 0);
  }

  async #resetDevice(): Promise<Reply | undefined> {
    await this.#workers?.reset();
    this.#workerNeedsReset = false;
    this.rings.reset();
    this.#inflight.discard();
    await this.#negotiation.reset();
    this.#status = 0;
    return undefined;
  }

  // ---- rings ----

  async #startIfReady(ring: Vring): Promise<Reply | undefined> {
    const enabled = ring.isEnabled || !this.#negotiation.has(VhostFeature.PROTOCOL_FEATURES);
    if (ring.isRunning) ring.poll();
    if (ring.isRunning || !enabled || !ring.isKickable || ring.size === 0 || ring.address === undefined) {
      return undefined;
    }
    if (this.rings.waitsForMemory(ring)) return undefined;
    const { isPacked } = this.#negotiation;
    if (!this.#iotlb.isKnown(ring)) return undefined;
    if (!this.rings.anyRunning) await this.#begin(ring);
    await this.rings.start(ring, isPacked, this.#inflight.region);
    this.#negotiation.driverOk();
    if (this.#config.takeChange()) this.notifyConfig();
    return undefined;
  }

  /** A kick came as a message, which starts a ring that waits for nothing else. */
  async #kicked(ring: Vring): Promise<Reply | undefined> {
    ring.isKicked = true;
    if (!ring.isRunning) await this.#startIfReady(ring);
    if (ring.isRunning) await this.rings.kicked(ring);
    return undefined;
  }

  /** Before the first ring runs: the device takes over what the front end has negotiated, or goes on where it was. */
  async #begin(first: Vring): Promise<void> {
    const goesOn = this.rings.goOn(first, this.#crypto.isInUse) || this.#isQueueReset;
    if (this.#negotiation.isUnchanged && goesOn) return;
    // This process has been there all the time: only after a crash is anything in flight when a driver starts anew.
    if (this.#negotiation.isRunning) this.#inflight.discard();
    this.rings.forgetPlaces();
    this.rings.setUntold(this.#negotiation.isUntold);
    const features = await this.#negotiation.begin();
    const writes = this.#config.writeKept();
    await this.#workers?.begin(features, writes);
    this.#workerNeedsReset = false;
  }

  /** The only ring that ran was reset: for a reset of the device, the front end would have written another status. */
  get #isQueueReset(): boolean {
    const tellsStatus = this.#negotiation.protocolFeatures.has(ProtocolFeature.STATUS);
    return (
      this.#negotiation.has(CommonFeature.RING_RESET) && tellsStatus && (this.#status & DeviceStatus.DRIVER_OK) !== 0
    );
  }

  async #enable(ring: Vring, isEnabled: boolean): Promise<Reply | undefined> {
    if (!isEnabled) {
      this.#iotlb.forget(ring.index);
      await this.rings.disable(ring);
      return undefined;
    }
    ring.isEnabled = true;
    return this.#startIfReady(ring);
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
}

function featuresOf(value: bigint): FeatureSet {
  return FeatureSet.fromWords([Number(value & 0xffff_ffffn), Number(value >> 32n)]);
}
