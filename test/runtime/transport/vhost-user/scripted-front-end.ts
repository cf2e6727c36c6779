import { closeSync, existsSync, readSync } from "node:fs";
import { GuestMemory, MemoryAllocator } from "../../../../src/runtime/index.js";
import {
  createDriverQueue,
  ringLayout,
  type DriverQueue,
  type RingFeatures,
} from "../../../../src/runtime/ring/index.js";
import {
  createMemoryFile,
  EventFd,
  loadSystemCalls,
  SharedMapping,
  UnixSocket,
  type SystemCalls,
} from "../../../../src/runtime/transport/posix/index.js";
import {
  decodePayload,
  encodePayload,
  frontEndTable,
  MessageChannel,
  ProtocolFeature,
  VhostUserError,
  type FrontEndRequest,
  type Message,
  type PayloadKind,
  type Payloads,
  type SharedRegion,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";

export const features = { PROTOCOL: 1n << 30n, VERSION_1: 1n << 32n, INDIRECT: 1n << 28n, EVENT_IDX: 1n << 29n };
export const PACKED = 1n << 34n;
export const LOG_ALL = 1n << 26n;
/** What a driver accepts here: a split ring with nothing else. */
export const plain = features.VERSION_1 | features.PROTOCOL;

export const guestStart = 0x10_0000;
export const userStart = 0x7f12_0000_0000;
export const memoryBytes = 4 << 20;

const TURNS = 10;
/** Of ten milliseconds and more, in several turns: after a while without a processor a timer is the first that is seen. */
export async function pause(milliseconds: number): Promise<void> {
  const turns = milliseconds < TURNS ? 1 : TURNS;
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, milliseconds / turns));
}

/** Until something holds; fails after two minutes, or as many milliseconds as are said. */
export async function until(holds: () => boolean, what = "it", milliseconds = 120_000): Promise<void> {
  for (const end = performance.now() + milliseconds; !holds();) {
    if (performance.now() > end) throw new Error(`${what} did not happen`);
    await pause(1);
  }
}

/** Has it been signalled since it was asked last? */
export function isSignalled(event: EventFd): boolean {
  try {
    return readSync(event.fd, new Uint8Array(8)) === 8;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return false;
    throw error;
  }
}

/** A front end that does what a test says, right or wrong. Owns all that it makes. */
export class ScriptedFrontEnd {
  readonly system: SystemCalls;
  readonly channel: MessageChannel<FrontEndRequest>;
  readonly memoryFile: number;
  /** The first address of memory for the driver. */
  readonly driverStart: number;
  readonly mapping: SharedMapping;
  readonly memory: GuestMemory;
  allocator: MemoryAllocator;
  readonly #files: number[] = [];
  readonly #rings: ScriptedRing[] = [];

  private constructor(system: SystemCalls, socket: UnixSocket, memoryFile: number, driverStart: number) {
    this.system = system;
    this.channel = new MessageChannel(socket, frontEndTable, "replies");
    this.memoryFile = memoryFile;
    this.driverStart = driverStart;
    this.mapping = new SharedMapping(system, memoryFile, 0, memoryBytes);
    this.memory = new GuestMemory([{ start: driverStart, bytes: this.mapping.view(0, memoryBytes) }]);
    this.allocator = new MemoryAllocator(this.memory, driverStart, memoryBytes);
  }

  /**
   * @param memoryFile memory of a machine that goes on; a new one if absent. It stays the caller's.
   * @param driverStart where memory begins for the driver, if not where it does for the guest: its addresses are translated
   */
  static async connect(path: string, memoryFile?: number, driverStart = guestStart): Promise<ScriptedFrontEnd> {
    const system = await loadSystemCalls();
    await until(() => existsSync(path), "a socket");
    const file = memoryFile ?? createMemoryFile(system, "guest", memoryBytes);
    const front = new ScriptedFrontEnd(system, UnixSocket.connect(system, path), file, driverStart);
    if (memoryFile === undefined) front.#files.push(file);
    return front;
  }

  get region(): SharedRegion {
    return { guestAddress: guestStart, size: memoryBytes, userAddress: userStart, fileOffset: 0 };
  }

  file(bytes: number): number {
    const fd = createMemoryFile(this.system, "test", bytes);
    this.#files.push(fd);
    return fd;
  }

  send<Kind extends PayloadKind>(
    name: FrontEndRequest,
    kind: Kind,
    value: Payloads[Kind],
    options: { fds?: readonly number[]; needReply?: boolean } = {},
  ): void {
    this.channel.request(name, encodePayload(kind, value), options);
  }

  async receive(): Promise<Message<FrontEndRequest>> {
    let found: Message<FrontEndRequest> | undefined;
    await until(() => (found = this.channel.receive()) !== undefined, "a reply");
    if (found === undefined) throw new Error("no reply");
    this.#files.push(...found.fds);
    return found;
  }

  /** Sends a request and returns its reply. */
  async ask<Kind extends PayloadKind>(
    name: FrontEndRequest,
    kind: Kind,
    value: Payloads[Kind],
  ): Promise<Message<FrontEndRequest>> {
    this.send(name, kind, value);
    return await this.receive();
  }
  async askNumber(name: FrontEndRequest): Promise<bigint> {
    return decodePayload("u64", await this.ask(name, "none", undefined));
  }

  /** Sends a request that is acknowledged; true if it was done. */
  async acknowledged<Kind extends PayloadKind>(
    name: FrontEndRequest,
    kind: Kind,
    value: Payloads[Kind],
    fds: readonly number[] = [],
  ): Promise<boolean> {
    this.send(name, kind, value, { fds, needReply: true });
    return decodePayload("u64", await this.receive()) === 0n;
  }

  /** All that comes before the rings. */
  async setUp(wanted = plain): Promise<void> {
    const offered = await this.askNumber("GET_FEATURES");
    if ((wanted & ~offered) !== 0n) throw new Error(`0x${(wanted & ~offered).toString(16)} is not offered`);
    const protocol = await this.askNumber("GET_PROTOCOL_FEATURES");
    this.send("SET_PROTOCOL_FEATURES", "u64", protocol);
    if ((protocol & (1n << BigInt(ProtocolFeature.REPLY_ACK))) === 0n) throw new Error("no REPLY_ACK");
    this.send("SET_OWNER", "none", undefined);
    this.send("SET_FEATURES", "u64", wanted);
    this.send("SET_MEM_TABLE", "memoryTable", [this.region], { fds: [this.memoryFile] });
  }

  /** A ring in our memory, set up and started. */
  async startRing(index: number, options: ScriptedRingOptions = {}): Promise<ScriptedRing> {
    const ring = new ScriptedRing(this, index, options);
    this.#rings.push(ring);
    await ring.start(options.base ?? (options.features?.packed === true ? 0x8000_8000 : 0));
    return ring;
  }

  /** Done when the back end has closed the connection. */
  async cutOff(): Promise<void> {
    await until(() => {
      try {
        this.channel.receive();
        return false;
      } catch (error) {
        if (error instanceof VhostUserError && error.rule === "peer-gone") return true;
        throw error;
      }
    }, "the end of the connection");
  }

  close(): void {
    this.channel.close();
    for (const ring of this.#rings) ring.close();
    for (const fd of this.#files) closeSync(fd);
    this.#files.length = 0;
    this.mapping.release();
  }
}

export interface ScriptedRingOptions {
  readonly size?: number;
  readonly features?: Partial<RingFeatures>;
  readonly base?: number;
  /** The back end is to poll. */
  readonly polled?: boolean;
  /** Kicks are messages, and the back end is given no eventfd. */
  readonly inband?: boolean;
  /** It is not enabled, as QEMU does not with a crypto device. */
  readonly withoutEnable?: boolean;
  readonly flags?: number;
}

const requestBytes = 16;

/** One ring of a block device, driven by hand. */
export class ScriptedRing {
  readonly index: number;
  /** May be another one after the back end was lost. */
  front: ScriptedFrontEnd;
  /** Whose memory it is in. */
  readonly #home: ScriptedFrontEnd;
  readonly queue: DriverQueue;
  readonly addresses: {
    readonly size: number;
    readonly descriptor: number;
    readonly driver: number;
    readonly device: number;
  };
  readonly kick: EventFd;
  readonly call: EventFd;
  readonly #options: ScriptedRingOptions;
  /** Where the request of each token is: header, data, status. */
  readonly #requests = new Map<number, { readonly address: number; readonly length: number }>();

  constructor(front: ScriptedFrontEnd, index: number, options: ScriptedRingOptions) {
    this.front = front;
    this.#home = front;
    this.index = index;
    this.#options = options;
    const { size = 16 } = options;
    const ringFeatures = { packed: false, indirect: false, eventIdx: false, inOrder: false, ...options.features };
    const layout = ringLayout(size, ringFeatures);
    const { allocator } = front;
    this.addresses = {
      size,
      descriptor: allocator.allocate(layout.descriptorBytes, 64),
      driver: allocator.allocate(layout.driverBytes, 64),
      device: allocator.allocate(layout.deviceBytes, 64),
    };
    this.kick = EventFd.create(front.system);
    this.call = EventFd.create(front.system);
    this.queue = createDriverQueue({
      index,
      memory: front.memory,
      addresses: this.addresses,
      features: ringFeatures,
      onBroken: (error) => {
        throw error;
      },
      notifyDevice: () => {
        if (options.inband === true) this.front.send("VRING_KICK", "vringState", { index, num: 0 });
        else this.kick.signal();
      },
    });
  }

  address(flags = this.#options.flags ?? 0): Payloads["vringAddress"] {
    const isTranslated = this.#home.driverStart !== guestStart;
    const user = (address: number): number => (isTranslated ? address : address - guestStart + userStart);
    const { descriptor, driver, device } = this.addresses;
    return {
      index: this.index,
      flags,
      descriptor: user(descriptor),
      available: user(driver),
      used: user(device),
      log: device,
    };
  }

  async start(base: number): Promise<void> {
    const { front, index } = this;
    front.send("SET_VRING_NUM", "vringState", { index, num: this.addresses.size });
    front.send("SET_VRING_BASE", "vringState", { index, num: base });
    front.send("SET_VRING_ADDR", "vringAddress", this.address());
    const isInband = this.#options.inband === true;
    if (!isInband) front.send("SET_VRING_CALL", "u64", BigInt(index), { fds: [this.call.fd] });
    if (isInband) front.send("VRING_KICK", "vringState", { index, num: 0 });
    else if (this.#options.polled === true) front.send("SET_VRING_KICK", "u64", BigInt(index) | 0x100n);
    else front.send("SET_VRING_KICK", "u64", BigInt(index), { fds: [this.kick.fd] });
    if (this.#options.withoutEnable === true) await front.askNumber("GET_QUEUE_NUM");
    else if (!(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index, num: 1 })))
      throw new Error("refused");
  }

  /** The number that the ring goes on with. */
  async stop(): Promise<number> {
    const reply = await this.front.ask("GET_VRING_BASE", "vringState", { index: this.index, num: 0 });
    return decodePayload("vringState", reply).num;
  }

  /** Makes a request for one sector available: a read, or a write of this value. Returns its token. */
  submit(sector: number, value?: number): number {
    const { memory, allocator } = this.#home;
    const length = 512;
    const address = allocator.allocate(requestBytes + length + 1);
    const view = this.#at(address);
    view.setUint32(0, value === undefined ? 0 : 1, true);
    view.setUint32(4, 0, true);
    view.setBigUint64(8, BigInt(sector), true);
    for (let i = 0; i < length; i++) view.setUint8(requestBytes + i, value ?? 0);
    view.setUint8(requestBytes + length, 0xff);
    this.queue.begin();
    this.queue.addReadable(address, requestBytes);
    if (value === undefined) this.queue.addWritable(address + requestBytes, length);
    else this.queue.addReadable(address + requestBytes, length);
    this.queue.addWritable(address + requestBytes + length, 1);
    const token = this.queue.end();
    if (token < 0) throw new Error("the ring is full");
    if (memory.locate(address, 1) === undefined) throw new Error("no memory");
    this.#requests.set(token, { address, length });
    this.queue.kick();
    return token;
  }

  /** Requests that were used since: their tokens, first data byte and status. */
  poll(): { readonly token: number; readonly first: number; readonly status: number; readonly address: number }[] {
    const found = [];
    for (let token = this.queue.poll(); token >= 0; token = this.queue.poll()) {
      const request = this.#requests.get(token);
      if (request === undefined) throw new Error(`token ${token} was used twice, or never made available`);
      this.#requests.delete(token);
      const view = this.#at(request.address);
      found.push({
        token,
        first: view.getUint8(requestBytes),
        status: view.getUint8(requestBytes + request.length),
        address: request.address,
      });
      this.#home.allocator.free(request.address);
    }
    return found;
  }

  /** So many requests that were used. */
  async completions(count: number): Promise<ReturnType<ScriptedRing["poll"]>> {
    const found: ReturnType<ScriptedRing["poll"]> = [];
    await until(() => found.push(...this.poll()) >= count, `${count} completions on ring ${this.index}`);
    return found;
  }

  /** Reads one sector, which has to succeed; its first byte. */
  async readOne(sector: number): Promise<number> {
    this.submit(sector);
    const [done] = await this.completions(1);
    if (done?.status !== 0) throw new Error(`status ${String(done?.status)} instead of a sector`);
    return done.first;
  }

  close(): void {
    this.kick.close();
    this.call.close();
  }

  #at(address: number): DataView {
    const region = this.#home.memory.locate(address, 1);
    if (region === undefined) throw new Error("no such address");
    return new DataView(region.bytes.buffer, region.bytes.byteOffset + address - region.start);
  }
}
