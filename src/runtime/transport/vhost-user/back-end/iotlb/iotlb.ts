import { GuestMemory, type MemoryRegion, type Translation } from "../../../../memory/index.js";
import type { DeviceQueue, QueueAddresses } from "../../../../ring/index.js";
import { nextTurn } from "../../../next-turn.js";
import {
  decodePayload,
  encodePayload,
  IotlbType,
  VhostUserError,
  type IotlbMessage,
  type Message,
} from "../../protocol/index.js";
import { Notice, type BackEndChannel } from "../back-end-channel.js";
import type { SharedRegions } from "../shared-regions.js";
import type { RunnerMemory, Vring } from "../vring.js";
import { Misses, type Want } from "./misses.js";
import { TranslatedQueue } from "./translated-queue.js";
import { Permission, TranslationTable } from "./translation-table.js";

/** What an IOTLB needs of the session. */
export interface IotlbHost {
  /** To the front end. */
  readonly channel: BackEndChannel;
  /** It answers over that channel. */
  isAnswered(): boolean;
  /** Rings that there are. */
  rings(): Iterable<Vring>;
  /** They are packed. */
  isPacked(): boolean;
  /** The ring stands still, and nothing that it was asked for is in flight any more. */
  halt(ring: Vring): Promise<void>;
  /** Starts a ring if nothing is missing for that. */
  start(ring: Vring): Promise<unknown>;
  /** A ring could not be started. */
  failed(ring: Vring, error: unknown): void;
}

/**
 * With ACCESS_PLATFORM the addresses of a driver are I/O virtual. The front end tells what they stand for when it is asked, and
 * takes it back when the driver does. The device sees a {@link GuestMemory} that has no regions and finds all there is by
 * translation. A ring whose next buffer is not known stands still until it is.
 */
export class Iotlb implements Translation, RunnerMemory {
  #isOn = false;
  readonly #translated = new GuestMemory([], { translation: this });
  readonly #regions: SharedRegions;
  readonly #host: IotlbHost;
  readonly #table = new TranslationTable();
  readonly #misses: Misses;
  /** Of the rings that run, or ran last. */
  readonly #queues = new Map<number, TranslatedQueue>();

  constructor(regions: SharedRegions, host: IotlbHost) {
    this.#regions = regions;
    this.#host = host;
    this.#misses = new Misses({
      isKnown: ({ address, isWrite }) => this.#table.find(address, 1, isWrite) !== 0,
      ask: (want, onAnswer) => this.#tell("MISS", want, onAnswer),
      refused: (ring) => this.#refused(ring),
    });
  }

  /** The front end has negotiated ACCESS_PLATFORM. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** While no ring runs. What was known may not be so any more: nobody is told of what a driver takes back then. */
  negotiate(isOn: boolean): void {
    this.#isOn = isOn;
    this.#table.remove(0, Infinity);
  }

  // ---- memory, as rings and buffers are looked for in it ----

  get memory(): GuestMemory {
    return this.isOn ? this.#translated : this.#regions.memory;
  }
  get physical(): GuestMemory {
    return this.#regions.memory;
  }
  get region(): MemoryRegion {
    return this.#table.region;
  }
  get offset(): number {
    return this.#table.offset;
  }

  find(address: number, length: number, isWrite: boolean): number {
    const found = this.#table.find(address, length, isWrite);
    if (found > 0) return found;
    if (found === 0) return this.#misses.isRefused(address, isWrite) ? -1 : 0;
    this.#tell("ACCESS_FAIL", { address, isWrite }, () => undefined);
    return -1;
  }
  want(address: number, length: number, isWrite: boolean): void {
    this.#misses.want(address, length, isWrite);
  }

  /** Addresses of rings are I/O virtual, too. */
  guestAddress(address: number, length: number, isWrite: boolean): number | undefined {
    if (!this.isOn) return this.#regions.guestAddress(address, length);
    const found = this.find(address, length, isWrite);
    if (found === length) return isWrite && this.find(address, length, false) !== length ? undefined : address;
    // It may go on, elsewhere in memory or unknown.
    for (let at = address + Math.max(found, 0), left = length - found; found >= 0 && left > 0;) {
      const part = this.find(at, left, isWrite);
      if (part === 0) this.want(at, left, isWrite);
      if (part <= 0) break;
      at += part;
      left -= part;
    }
    return undefined;
  }

  wrap(queue: DeviceQueue, addresses: QueueAddresses, isPacked: boolean): DeviceQueue {
    if (!this.isOn) return queue;
    const translated = new TranslatedQueue(queue, addresses, isPacked, this.#misses);
    this.#queues.set(queue.index, translated);
    return translated;
  }

  // ---- rings ----

  /**
   * All of a ring that is to start is known. What is not is asked for, and the ring is started when it is, unless
   * {@link forget} is called before.
   * @throws VhostUserError (`ring-address`) when the front end has no translation of a part, or one that is of no use.
   */
  isKnown(ring: Vring): boolean {
    if (!this.isOn) return true;
    const { index } = ring;
    this.#misses.begin(index);
    // All at once, so that all that is missing is asked for.
    const [missing] = ring
      .parts(this.#host.isPacked())
      .filter(({ start, size, isWritten }) => this.guestAddress(start, size, isWritten) === undefined);
    if (!this.#misses.end(index)) return false;
    if (missing === undefined) return true;
    const { start, size } = missing;
    throw new VhostUserError("ring-address", `ring ${index}, ${size} bytes at 0x${start.toString(16)}`);
  }

  /** The ring is being stopped or disabled: it waits for nothing any more. */
  forget(ring: number): void {
    this.#misses.forget(ring);
  }

  /** The table of memory is another one: what is known leads to the old one. */
  async memoryChanged(): Promise<void> {
    if (this.isOn) await this.#takeBack(0, Infinity);
  }

  // ---- messages ----

  #tell(type: "MISS" | "ACCESS_FAIL", { address, isWrite }: Want, onAnswer: (isDone: boolean) => void): void {
    const payload = encodePayload("iotlb", {
      iova: BigInt(address),
      size: 0n,
      userAddress: 0n,
      permission: isWrite ? Permission.WRITE : Permission.READ,
      type: IotlbType[type],
    });
    const isAnswered = this.#host.isAnswered();
    this.#host.channel.tell(new Notice("IOTLB_MSG", payload, isAnswered, (answer) => onAnswer(answer === 0n)));
  }

  /** UPDATE and INVALIDATE. @throws VhostUserError (`translation`) for others, and those that cannot be. */
  async handle(request: Message<string>): Promise<void> {
    if (!this.isOn) throw new VhostUserError("not-negotiated", "IOTLB_MSG needs ACCESS_PLATFORM");
    const message = decodePayload("iotlb", request);
    switch (message.type) {
      case IotlbType.UPDATE:
        return this.#update(message);
      case IotlbType.INVALIDATE: {
        const start = Number(message.iova);
        // All of 2^64 bytes have no other size.
        const size = message.size === 0n ? Infinity : Number(message.size);
        return this.#takeBack(start, start + size);
      }
      default:
        throw new VhostUserError("translation", `type ${message.type}`);
    }
  }

  async #update({ iova, size, userAddress, permission }: IotlbMessage): Promise<void> {
    const [start, length, user] = [Number(iova), Number(size), Number(userAddress)];
    const isWhole = Number.isSafeInteger(start + length) && Number.isSafeInteger(user + length) && length > 0;
    const isPermission = (permission & ~(Permission.READ | Permission.WRITE)) === 0;
    const physical = isWhole && isPermission ? this.#regions.guestAddress(user, length) : undefined;
    if (physical === undefined) {
      throw new VhostUserError("translation", `0x${iova.toString(16)} to 0x${userAddress.toString(16)}, ${size} bytes`);
    }
    this.#table.add(start, length, permission, physical, this.#regions.memory);
    const complete = this.#misses.learned(start, start + length);
    for (const ring of this.#host.rings()) {
      if (!complete.includes(ring.index)) continue;
      if (ring.isRunning) this.#look(ring);
      else await this.#start(ring);
    }
  }

  /** [start, end) is not to be accessed any more when this is done. */
  async #takeBack(start: number, end: number): Promise<void> {
    this.#table.remove(start, end);
    for (const ring of this.#host.rings()) {
      const queue = ring.isRunning ? this.#queues.get(ring.index) : undefined;
      if (queue?.worksIn([{ start, end }]) !== true) continue;
      this.#misses.forget(ring.index);
      await this.#host.halt(ring);
      await this.#start(ring);
    }
  }

  /** Later: the front end waits for the acknowledgement of what it has told, and not for the device. */
  #look(ring: Vring): void {
    nextTurn(() => {
      if (ring.isRunning) ring.onKick?.();
    });
  }

  /** A ring whose buffer leads nowhere breaks when it is looked at; one that is to start does not. */
  #refused(index: number): void {
    for (const ring of this.#host.rings()) {
      if (ring.index !== index) continue;
      if (ring.isRunning) {
        this.#look(ring);
        continue;
      }
      // In the middle of anything else, so it does not start here.
      try {
        this.isKnown(ring);
      } catch (error) {
        this.#host.failed(ring, error);
      }
    }
  }

  async #start(ring: Vring): Promise<void> {
    try {
      await this.#host.start(ring);
    } catch (error) {
      this.#host.failed(ring, error);
    }
  }
}
