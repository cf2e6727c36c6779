import { onTestFinished } from "vitest";
import { UnixSocket } from "../../../../src/runtime/transport/posix/index.js";
import {
  backEndTable,
  decodePayload,
  encodePayload,
  IotlbType,
  MessageChannel,
  type BackEndRequest,
  type IotlbMessage,
  type Message,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { guestStart, plain, ScriptedFrontEnd, until, userStart } from "./scripted-front-end.js";

export const ACCESS_PLATFORM = 1n << 33n;
/** Where memory begins for the driver: nowhere that there is memory without a translation. */
export const ioStart = 0x40_0000_0000;
export const PAGE = 4096;
export const permission = { NONE: 0, READ: 1, WRITE: 2, BOTH: 3 } as const;

/** The other side of an IOTLB: asked for translations, it gives those that a test has made. */
export class ScriptedIommu {
  readonly front: ScriptedFrontEnd;
  /** What was asked for, and what was said to have failed; since the test has looked last. */
  readonly misses: IotlbMessage[] = [];
  readonly failures: IotlbMessage[] = [];
  /** It does not answer by itself: see {@link answer}. */
  isMute = false;
  #unanswered = 0;
  readonly #channel: MessageChannel<BackEndRequest>;

  private constructor(front: ScriptedFrontEnd, channel: MessageChannel<BackEndRequest>) {
    this.front = front;
    this.#channel = channel;
  }

  /** A front end whose driver's addresses begin at {@link ioStart}, with all that comes before the rings. Gone when the test ends. */
  static async connect(path: string, wanted = plain | ACCESS_PLATFORM, memoryFile?: number): Promise<ScriptedIommu> {
    const front = await ScriptedFrontEnd.connect(path, memoryFile, ioStart);
    onTestFinished(() => front.close());
    await front.setUp(wanted);
    const [ours, theirs] = UnixSocket.pair(front.system);
    const accepted = await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [theirs.fd]);
    theirs.close();
    if (!accepted) throw new Error("the channel was refused");
    const iommu = new ScriptedIommu(front, new MessageChannel(ours, backEndTable, "requests"));
    onTestFinished(() => iommu.#channel.close());
    return iommu;
  }

  /** Tells where [iova, iova + size) is in guest-physical memory. True if that was taken. */
  async update(iova: number, size: number, physical: number, allowed: number = permission.BOTH): Promise<boolean> {
    return await this.tell({
      iova: BigInt(iova),
      size: BigInt(size),
      userAddress: BigInt(physical - guestStart + userStart),
      permission: allowed,
      type: IotlbType.UPDATE,
    });
  }
  /** The page of the driver's own memory that holds this address. */
  async updatePage(iova: number, allowed: number = permission.BOTH): Promise<boolean> {
    const page = iova - (iova % PAGE);
    return await this.update(page, PAGE, page - ioStart + guestStart, allowed);
  }
  async invalidate(iova: number, size: number): Promise<boolean> {
    return await this.tell(takingBack(iova, size));
  }
  async tell(message: IotlbMessage): Promise<boolean> {
    return await this.front.acknowledged("IOTLB_MSG", "iotlb", message);
  }

  /** Everything that was asked for so far, answered as `answer` says if an answer is wanted. */
  receive(answer = 0n): Message<BackEndRequest>[] {
    const found: Message<BackEndRequest>[] = [];
    for (let message = this.#channel.receive(); message !== undefined; message = this.#channel.receive()) {
      found.push(message);
      if (message.name !== "IOTLB_MSG") continue;
      const content = decodePayload("iotlb", message);
      (content.type === IotlbType.MISS ? this.misses : this.failures).push(content);
      if (!message.needReply) continue;
      this.#unanswered++;
      if (!this.isMute) this.answer(answer);
    }
    return found;
  }

  /** Answers what has not been answered: 0 is yes. */
  answer(value: bigint): void {
    for (; this.#unanswered > 0; this.#unanswered--) this.#channel.reply("IOTLB_MSG", encodePayload("u64", value));
  }

  /** Waits until something is missing, and gives all addresses that are. */
  async missed(): Promise<number[]> {
    await until(() => {
      this.receive();
      return this.misses.length > 0;
    }, "a miss");
    return this.misses.splice(0).map(({ iova }) => Number(iova));
  }

  /** Tells whatever is asked for, page by page, until something holds. Returns how often it was asked. */
  async serve(holds: () => boolean, what?: string): Promise<number> {
    let asked = 0;
    let isUnderWay = false;
    let failure: Error | undefined;
    await until(() => {
      if (failure !== undefined) throw failure;
      this.receive();
      const missing = this.misses.splice(0);
      if (missing.length > 0) {
        asked += missing.length;
        this.#waiting.push(...missing);
      }
      if (!isUnderWay && this.#waiting.length > 0) {
        isUnderWay = true;
        void this.#tellWaiting().then(
          () => (isUnderWay = false),
          (error: unknown) => (failure = error instanceof Error ? error : new Error(String(error))),
        );
      }
      return !isUnderWay && this.#waiting.length === 0 && holds();
    }, what);
    return asked;
  }
  readonly #waiting: IotlbMessage[] = [];

  async #tellWaiting(): Promise<void> {
    for (let miss = this.#waiting.shift(); miss !== undefined; miss = this.#waiting.shift()) {
      if (!(await this.updatePage(Number(miss.iova)))) throw new Error("a translation was refused");
    }
  }
}

export function takingBack(iova: number, size: number): IotlbMessage {
  return { iova: BigInt(iova), size: BigInt(size), userAddress: 0n, permission: 0, type: IotlbType.INVALIDATE };
}
