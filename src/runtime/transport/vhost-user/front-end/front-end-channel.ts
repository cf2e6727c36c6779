import type { UnixSocket, Watch, Watcher } from "../../posix/index.js";
import {
  closeAll,
  decodePayload,
  encodePayload,
  frontEndRequests,
  frontEndTable,
  MessageChannel,
  VhostUserError,
  type FrontEndRequest,
  type Message,
  type PayloadKind,
  type Payloads,
} from "../protocol/index.js";

type Requests = typeof frontEndRequests;

interface Waiting {
  readonly name: FrontEndRequest;
  resolve(message: Message<FrontEndRequest>): void;
  reject(error: Error): void;
  /** Descriptors that the answer has. */
  readonly fds: number;
}

export interface ChannelOptions {
  readonly watcher: Watcher;
  /** For how long the back end may think about a request, in milliseconds. */
  readonly patience: number;
  /** Told once, when nothing more can come of this connection. */
  onEnd(error: VhostUserError): void;
}

/** Most requests that are sent one after the other without a word of the back end's: a socket has room for some hundreds. */
const mostUnanswered = 64;

/** Node takes a longer time for no time; it is 24 days. */
const longestTimer = 2 ** 31 - 1;

/** Sends requests to a back end and gives back what it answers, which it does in order. Owns the socket. */
export class FrontEndChannel {
  /** Whether every request is answered: REPLY_ACK was agreed on. */
  acknowledges = false;
  readonly #messages: MessageChannel<FrontEndRequest>;
  readonly #options: ChannelOptions;
  readonly #watch: Watch;
  readonly #waiting: Waiting[] = [];
  /** Of the first that waits: the back end does one thing after the other. */
  #timer: NodeJS.Timeout | undefined;
  #ended: VhostUserError | undefined;
  /** Requests since the last that is answered. */
  #unanswered = 0;

  constructor(socket: UnixSocket, options: ChannelOptions) {
    this.#messages = new MessageChannel(socket, frontEndTable, "replies");
    this.#options = options;
    this.#ended = undefined;
    this.#timer = undefined;
    this.#watch = options.watcher.watch(socket.fd, () => this.#receive());
  }

  /** Why nothing more can be sent; undefined while it can. */
  get ended(): VhostUserError | undefined {
    return this.#ended;
  }

  /**
   * Sends a request that has an answer of its own.
   * @param fds descriptors that go along, which stay the caller's, and how many the answer has, which are the caller's to close
   * @throws VhostUserError when the back end is gone or does not answer.
   */
  async ask(
    name: FrontEndRequest,
    payload: Uint8Array,
    descriptors: { readonly fds?: readonly number[]; readonly answered?: number } = {},
  ): Promise<Message<FrontEndRequest>> {
    return await this.#exchange(name, payload, descriptors);
  }

  /** The same for an answer in a layout that is known. */
  async askFor<Kind extends PayloadKind>(
    kind: Kind,
    name: FrontEndRequest,
    payload: Uint8Array = new Uint8Array(0),
  ): Promise<Payloads[Kind]> {
    return this.#decode(kind, await this.ask(name, payload));
  }

  /**
   * Sends a request that has no answer of its own. Done when the back end says that it has done it, if it says that at all.
   * @param fds descriptors that go along; they stay the caller's
   * @throws VhostUserError when it refuses.
   */
  async tell<Name extends FrontEndRequest>(
    name: Name,
    value: Payloads[Requests[Name]["payload"]],
    fds: readonly number[] = [],
  ): Promise<void> {
    const payload = encodePayload(frontEndRequests[name].payload, value);
    if (!this.acknowledges) {
      this.#send(name, payload, fds, false);
      if (++this.#unanswered >= mostUnanswered) await this.askFor("u64", "GET_FEATURES");
      return;
    }
    const answer = await this.#exchange(name, payload, { fds, needReply: true });
    if (this.#decode("u64", answer) !== 0n) throw new VhostUserError("refused", name);
  }

  /** Ends the connection; returns `error`. */
  end(error: VhostUserError): VhostUserError {
    if (this.#ended !== undefined) return error;
    this.#ended = error;
    this.#watch.close();
    this.#messages.close();
    clearTimeout(this.#timer);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
    this.#options.onEnd(error);
    return error;
  }

  #exchange(
    name: FrontEndRequest,
    payload: Uint8Array,
    {
      fds = [],
      needReply = false,
      answered = 0,
    }: { readonly fds?: readonly number[]; readonly needReply?: boolean; readonly answered?: number },
  ): Promise<Message<FrontEndRequest>> {
    return new Promise((resolve, reject) => {
      this.#send(name, payload, fds, needReply);
      this.#unanswered = 0;
      this.#waiting.push({ name, resolve, reject, fds: answered });
      if (this.#waiting.length === 1) this.#beginPatience();
    });
  }

  /** With what waits longest, if anything does. */
  #beginPatience(): void {
    clearTimeout(this.#timer);
    const [first] = this.#waiting;
    if (first === undefined) return;
    const { patience } = this.#options;
    const late = (): void => void this.end(new VhostUserError("unanswered", `${first.name}, for ${patience} ms`));
    this.#timer = setTimeout(late, Math.min(patience, longestTimer));
  }

  /** What is not as it should be is the end. */
  #decode<Kind extends PayloadKind>(kind: Kind, message: Message<FrontEndRequest>): Payloads[Kind] {
    try {
      return decodePayload(kind, message);
    } catch (error) {
      throw error instanceof VhostUserError ? this.end(error) : error;
    }
  }

  #send(name: FrontEndRequest, payload: Uint8Array, fds: readonly number[], needReply: boolean): void {
    if (this.#ended !== undefined) throw this.#ended;
    try {
      this.#messages.request(name, payload, { fds, needReply });
    } catch (error) {
      throw error instanceof VhostUserError ? this.end(error) : error;
    }
  }

  #receive(): void {
    while (this.#ended === undefined) {
      try {
        const message = this.#messages.receive();
        if (message === undefined) return;
        this.#take(message);
      } catch (error) {
        this.end(asVhostUserError(error));
      }
    }
  }

  #take(message: Message<FrontEndRequest>): void {
    const [waiting] = this.#waiting;
    if (waiting?.name !== message.name || waiting.fds !== message.fds.length) {
      closeAll(message.fds);
      if (waiting?.name !== message.name) throw new VhostUserError("unexpected-reply", message.name);
      // Descriptors that nobody asked for do no harm.
      if (waiting.fds > 0) {
        throw new VhostUserError("descriptor-count", `${message.name} with ${message.fds.length}, not ${waiting.fds}`);
      }
    }
    this.#waiting.shift();
    this.#beginPatience();
    waiting.resolve(message);
  }
}

/** Watchers must not be thrown at: whatever happens is the end of the connection. */
export function asVhostUserError(error: unknown): VhostUserError {
  if (error instanceof VhostUserError) return error;
  return new VhostUserError("peer-gone", error instanceof Error ? error.message : String(error), { cause: error });
}
