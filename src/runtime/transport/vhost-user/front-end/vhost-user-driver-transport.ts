import { GuestMemory, MemoryAllocator } from "../../../memory/index.js";
import { CommonFeature } from "../../../negotiation/common-feature.js";
import { DeviceStatus } from "../../../negotiation/device-status.js";
import { Clause, ProtocolError } from "../../../negotiation/errors.js";
import { FeatureSet } from "../../../negotiation/feature-set.js";
import type { QueueAddresses } from "../../../ring/index.js";
import { beginning } from "../../../ring/queue-position.js";
import {
  createMemoryFile,
  EventFd,
  loadSystemCalls,
  SharedMapping,
  UnixSocket,
  watcherOf,
  type SystemCalls,
  type Watch,
  type Watcher,
} from "../../posix/index.js";
import type { DriverTransport } from "../../driver-transport.js";
import {
  baseOf,
  decodePayload,
  encodePayload,
  ProtocolFeature,
  VhostFeature,
  VhostUserError,
} from "../protocol/index.js";
import { BackEndRequests } from "./back-end-requests.js";
import { FrontEndChannel } from "./front-end-channel.js";

export interface ConnectOptions {
  /** Number of the type of device behind the socket; the protocol has no question for it. */
  readonly deviceId: number;
  /** Memory that is shared with the back end, in bytes; 64 MiB if absent. */
  readonly memorySize?: number;
  /** Largest size of a queue, a power of two; 256 if absent. The protocol has no question for it. */
  readonly queueSize?: number;
  /** Number of queues, where the back end cannot say it; 16 if absent. */
  readonly queues?: number;
  /** The configuration space, where it is not the back end's: virtio-fs has its tag in the front end. */
  readonly config?: Uint8Array;
  /** For how long the back end may think about a request, in milliseconds; 10,000 if absent. */
  readonly patience?: number;
  /** Told once, when the back end is gone or does not keep to the protocol. The device needs a reset then. */
  readonly onEnd?: (error: VhostUserError) => void;
}

/** First address of the memory, so that 0 is no address. */
const MEMORY_START = 0x10_0000;
const DEFAULTS = { memorySize: 64 * 1024 * 1024, queueSize: 256, queues: 16, patience: 10_000 } as const;

const WANTED = FeatureSet.of([
  ProtocolFeature.MQ,
  ProtocolFeature.REPLY_ACK,
  ProtocolFeature.BACKEND_REQ,
  ProtocolFeature.CONFIG,
  ProtocolFeature.RESET_DEVICE,
  ProtocolFeature.STATUS,
]);
/** What a queue, or a notification, cannot do over this protocol, and the bits that are its own. */
const UNSUPPORTED = FeatureSet.of([
  VhostFeature.LOG_ALL,
  VhostFeature.PROTOCOL_FEATURES,
  CommonFeature.ACCESS_PLATFORM,
  CommonFeature.SR_IOV,
  CommonFeature.NOTIFICATION_DATA,
  CommonFeature.NOTIF_CONFIG_DATA,
  CommonFeature.RING_RESET,
  CommonFeature.ADMIN_VQ,
  CommonFeature.SUSPEND,
]);

interface Ring {
  readonly kick: EventFd;
  readonly call: EventFd;
  readonly watch: Watch;
}

/** Driver side of vhost-user: a back end in another process, which is given memory and rings. */
export class VhostUserDriverTransport implements DriverTransport {
  readonly deviceId: number;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  onQueueUsed: ((index: number) => void) | undefined;
  onConfigChange: (() => void) | undefined;
  readonly #system: SystemCalls;
  readonly #watcher: Watcher;
  readonly #options: ConnectOptions;
  readonly #mapping: SharedMapping;
  readonly #channel: FrontEndChannel;
  readonly #rings = new Map<number, Ring>();
  #protocolFeatures = FeatureSet.none;
  #offered = FeatureSet.none;
  #accepted = FeatureSet.none;
  #queues: number;
  #status = 0;
  #generation = 0;
  #requests: BackEndRequests | undefined;

  private constructor(system: SystemCalls, socket: UnixSocket, mapping: SharedMapping, options: ConnectOptions) {
    this.deviceId = options.deviceId;
    this.#system = system;
    this.#watcher = watcherOf(system);
    this.#options = options;
    this.#mapping = mapping;
    this.memory = new GuestMemory([{ start: MEMORY_START, bytes: mapping.view(0, mapping.length) }]);
    this.allocator = new MemoryAllocator(this.memory, MEMORY_START, mapping.length);
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
    this.#queues = options.queues ?? DEFAULTS.queues;
    this.#requests = undefined;
    this.#channel = new FrontEndChannel(socket, {
      watcher: this.#watcher,
      patience: options.patience ?? DEFAULTS.patience,
      onEnd: (error) => this.#ended(error),
    });
  }

  /** See {@link connect}. */
  static async open(path: string, options: ConnectOptions): Promise<VhostUserDriverTransport> {
    const system = await loadSystemCalls();
    const size = options.memorySize ?? DEFAULTS.memorySize;
    const memoryFile = createMemoryFile(system, "virtio-gen", size);
    let transport: VhostUserDriverTransport | undefined;
    try {
      const mapping = new SharedMapping(system, memoryFile, 0, size);
      try {
        transport = new VhostUserDriverTransport(system, UnixSocket.connect(system, path), mapping, options);
      } catch (error) {
        mapping.release();
        throw error;
      }
      await transport.#greet(memoryFile);
      return transport;
    } catch (error) {
      transport?.close();
      throw error;
    } finally {
      system.close(memoryFile);
    }
  }

  /** Ends the connection and frees memory and descriptors. The driver should have stopped before. Safe to call twice. */
  close(): void {
    this.#channel.end(new VhostUserError("peer-gone", "it was closed on this side"));
    this.#mapping.release();
  }

  /** Is it still connected? */
  get connected(): boolean {
    return this.#channel.ended === undefined;
  }

  async getStatus(): Promise<number> {
    if (!this.connected) return this.#status | DeviceStatus.NEEDS_RESET;
    if (!this.#has(ProtocolFeature.STATUS)) return this.#status;
    return Number((await this.#channel.askFor("u64", "GET_STATUS")) & 0xffn);
  }
  async setStatus(status: number): Promise<void> {
    this.#status = status;
    if (status === 0) {
      // A reset of what is gone is done.
      if (!this.connected) return;
      for (const index of [...this.#rings.keys()]) await this.#stopRing(index);
      if (this.#has(ProtocolFeature.RESET_DEVICE)) await this.#channel.tell("RESET_DEVICE", undefined);
    }
    if (this.#has(ProtocolFeature.STATUS)) await this.#channel.tell("SET_STATUS", BigInt(status));
  }
  getFeatures(): FeatureSet {
    return this.#offered.without(UNSUPPORTED);
  }
  async setFeatures(features: FeatureSet): Promise<void> {
    this.#accepted = features;
    const own = FeatureSet.of([VhostFeature.PROTOCOL_FEATURES]).and(this.#offered);
    await this.#channel.tell("SET_FEATURES", bitsOf(features.or(own)));
  }

  async readConfig(offset: number, length: number): Promise<Uint8Array> {
    const { config } = this.#options;
    if (config !== undefined) return config.slice(offset, offset + length);
    if (!this.#has(ProtocolFeature.CONFIG)) return new Uint8Array(0);
    // From the start on: there are back ends that take the offset for 0.
    const end = offset + length;
    const wanted = encodePayload("config", { offset: 0, flags: 0, bytes: new Uint8Array(end) });
    const answer = await this.#channel.ask("GET_CONFIG", wanted);
    // Nothing at all is how a back end refuses.
    if (answer.payload.length === 0) return new Uint8Array(0);
    return decodePayload("config", answer).bytes.slice(offset, end);
  }
  async writeConfig(offset: number, bytes: Uint8Array): Promise<void> {
    if (!this.#has(ProtocolFeature.CONFIG)) return;
    await this.#channel.tell("SET_CONFIG", { offset, flags: 0, bytes });
  }
  configGeneration(): number {
    return this.#generation;
  }

  queueMaxSize(index: number): number {
    return index < this.#queues ? (this.#options.queueSize ?? DEFAULTS.queueSize) : 0;
  }

  async enableQueue(index: number, addresses: QueueAddresses): Promise<void> {
    if (this.#rings.has(index)) {
      throw new ProtocolError("queue-already-enabled", Clause.queues, `queue ${index} is in use`);
    }
    const kick = EventFd.create(this.#system);
    const call = EventFd.create(this.#system);
    const watch = this.#watcher.watch(call.fd, () => {
      call.drain();
      this.onQueueUsed?.(index);
    });
    // From here on, whoever ends the connection closes them.
    this.#rings.set(index, { kick, call, watch });
    const channel = this.#channel;
    const { size, descriptor, device, driver } = addresses;
    const start = baseOf(beginning, this.#accepted.has(CommonFeature.RING_PACKED));
    await channel.tell("SET_VRING_NUM", { index, num: size });
    await channel.tell("SET_VRING_BASE", { index, num: start });
    const places = { descriptor, used: device, available: driver };
    await channel.tell("SET_VRING_ADDR", { index, flags: 0, ...places, log: undefined });
    await channel.tell("SET_VRING_CALL", BigInt(index), [call.fd]);
    await channel.tell("SET_VRING_KICK", BigInt(index), [kick.fd]);
    if (this.#hasProtocolFeatures) await channel.tell("SET_VRING_ENABLE", { index, num: 1 });
  }
  queueEnabled(index: number): boolean {
    return this.#rings.has(index);
  }
  /** The protocol has no message for it, so RING_RESET is not offered. */
  resetQueue(index: number): Promise<void> {
    const text = `vhost-user cannot reset queue ${index}`;
    return Promise.reject(new ProtocolError("queue-reset-refused", Clause.queueReset, text));
  }
  queueResetting(): boolean {
    return false;
  }
  notify(index: number): void {
    this.#rings.get(index)?.kick.signal();
  }

  /** Agrees with the back end on what the protocol can do, and hands it the memory. */
  async #greet(memoryFile: number): Promise<void> {
    const channel = this.#channel;
    await channel.tell("SET_OWNER", undefined);
    this.#offered = featuresOf(await channel.askFor("u64", "GET_FEATURES"));
    if (this.#hasProtocolFeatures) {
      const offered = featuresOf(await channel.askFor("u64", "GET_PROTOCOL_FEATURES"));
      this.#protocolFeatures = offered.and(WANTED);
      await channel.tell("SET_PROTOCOL_FEATURES", bitsOf(this.#protocolFeatures));
    }
    channel.acknowledges = this.#has(ProtocolFeature.REPLY_ACK);
    if (this.#has(ProtocolFeature.MQ)) this.#queues = Number(await channel.askFor("u64", "GET_QUEUE_NUM"));
    if (this.#has(ProtocolFeature.BACKEND_REQ)) {
      const requests = new BackEndRequests(this.#system, this.#watcher, () => this.#configChanged());
      this.#requests = requests;
      await channel.tell("SET_BACKEND_REQ_FD", undefined, [requests.theirs.fd]);
      requests.theirs.close();
    }
    const place = { guestAddress: MEMORY_START, userAddress: MEMORY_START, fileOffset: 0 };
    await channel.tell("SET_MEM_TABLE", [{ ...place, size: this.#mapping.length }], [memoryFile]);
  }

  /** Done when the back end does not touch the ring any more. */
  async #stopRing(index: number): Promise<void> {
    if (this.#hasProtocolFeatures) await this.#channel.tell("SET_VRING_ENABLE", { index, num: 0 });
    await this.#channel.askFor("vringState", "GET_VRING_BASE", encodePayload("vringState", { index, num: 0 }));
    this.#closeRing(index);
  }
  #closeRing(index: number): void {
    const ring = this.#rings.get(index);
    this.#rings.delete(index);
    ring?.watch.close();
    ring?.kick.close();
    ring?.call.close();
  }

  #configChanged(): void {
    this.#generation++;
    this.onConfigChange?.();
  }
  #ended(error: VhostUserError): void {
    for (const index of [...this.#rings.keys()]) this.#closeRing(index);
    this.#requests?.close();
    this.#options.onEnd?.(error);
    // The driver reads the status then, and finds that the device needs a reset.
    this.onConfigChange?.();
  }

  get #hasProtocolFeatures(): boolean {
    return this.#offered.has(VhostFeature.PROTOCOL_FEATURES);
  }
  #has(feature: number): boolean {
    return this.#protocolFeatures.has(feature);
  }
}

function featuresOf(bits: bigint): FeatureSet {
  return FeatureSet.fromWords([Number(bits & 0xffff_ffffn), Number(bits >> 32n)]);
}
function bitsOf(features: FeatureSet): bigint {
  return (BigInt(features.word(1)) << 32n) | BigInt(features.word(0));
}

/**
 * Connects to a vhost-user back end, for a generated driver to be started on what is returned:
 *
 * ```ts
 * const driver = await BlkDriver.start(await connect("/run/disk.sock", { deviceId: BLK_DEVICE_ID }));
 * ```
 *
 * @param path Path of the Unix socket that the back end listens on.
 * @throws PosixUnavailableError unless this is Linux and koffi is installed; SystemCallError when nobody listens;
 * VhostUserError when the back end refuses or does not keep to the protocol.
 */
export function connect(path: string, options: ConnectOptions): Promise<VhostUserDriverTransport> {
  return VhostUserDriverTransport.open(path, options);
}
