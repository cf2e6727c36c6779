import { messageEnd, SystemCallError, type SystemCalls, type Watch, type Watcher } from "../../posix/index.js";
import {
  backEndTable,
  closeAll,
  decodePayload,
  MessageChannel,
  VhostUserError,
  type BackEndRequest,
  type Message,
} from "../protocol/index.js";
import type { SessionOptions } from "./session-options.js";

/** Milliseconds until a peer without room is tried again; twice as many each time, up to the most. */
const firstDelay = 1;
const longestDelay = 100;
/** Most answers that are looked at in one turn of the event loop. */
const mostAnswers = 64;
/** Most notices that wait to be sent or answered: what is told beyond has to be told again. */
const mostDue = 1024;

/** Something that the front end is told, whenever it is so. Telling it twice before it was sent is telling it once. */
export class Notice {
  readonly name: BackEndRequest;
  readonly payload: Uint8Array;
  /** An answer is asked for, where one can come, and the notice is not sent again before that. */
  readonly isAnswered: boolean;
  /** Told of the answer, 0 if all was well; a refusal is reported if this is absent. */
  readonly onAnswer: ((answer: bigint) => void) | undefined;
  /** It was sent, and the answer is to come. */
  isUnderWay = false;

  constructor(name: BackEndRequest, payload: Uint8Array, isAnswered = false, onAnswer?: (answer: bigint) => void) {
    this.name = name;
    this.payload = payload;
    this.isAnswered = isAnswered;
    this.onAnswer = onAnswer;
  }
}

/**
 * What the back end tells the front end, over the channel of SET_BACKEND_REQ_FD. Nothing here waits for a front end that
 * does not read or does not answer: each notice is sent when there is room, and kept once at most until then.
 */
export class BackEndChannel {
  readonly #system: SystemCalls;
  readonly #watcher: Watcher;
  readonly #report: (error: Error) => void;
  #messages: MessageChannel<BackEndRequest> | undefined;
  #watch: Watch | undefined;
  /** To be sent, in this order. */
  readonly #due = new Set<Notice>();
  /** Sent, in the order in which the answers come. */
  #unanswered: Notice[] = [];
  #timer: NodeJS.Timeout | undefined;
  #delay = firstDelay;

  constructor({ system, watcher, report }: SessionOptions) {
    this.#system = system;
    this.#watcher = watcher;
    this.#report = report;
    this.#messages = undefined;
    this.#watch = undefined;
    this.#timer = undefined;
  }

  /** Takes the descriptor of the channel out of `fds`: a socket, or a pipe. @throws VhostUserError (`descriptor`) */
  open(fds: number[]): void {
    const [fd] = fds;
    if (fd === undefined) return;
    this.close();
    try {
      this.#system.setNonBlocking(fd);
      const end = messageEnd(this.#system, fd);
      fds.shift();
      this.#messages = new MessageChannel(end, backEndTable, "replies");
      // Nothing comes back over a pipe.
      if (end.isTwoWay) this.#watch = this.#watcher.watch(fd, () => this.#receive());
    } catch (error) {
      this.close();
      if (!(error instanceof SystemCallError)) throw error;
      throw new VhostUserError("descriptor", error.message, { cause: error });
    }
  }

  /** Tells something, now or when there is room. Without a channel there is nobody to tell. */
  tell(notice: Notice): void {
    if (this.#messages === undefined) return;
    if (this.#due.size + this.#unanswered.length < mostDue) this.#due.add(notice);
    if (!notice.isUnderWay && this.#timer === undefined) this.#flush();
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#messages?.close();
    this.#messages = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#delay = firstDelay;
    for (const notice of this.#unanswered) notice.isUnderWay = false;
    this.#unanswered = [];
    this.#due.clear();
  }

  #flush(): void {
    this.#timer = undefined;
    const messages = this.#messages;
    if (messages === undefined) return;
    const canAnswer = this.#watch !== undefined;
    try {
      for (const notice of this.#due) {
        if (notice.isUnderWay) continue;
        const needReply = notice.isAnswered && canAnswer;
        if (!messages.offer(notice.name, notice.payload, needReply)) {
          this.#wait(notice);
          return;
        }
        this.#due.delete(notice);
        this.#delay = firstDelay;
        if (!needReply) continue;
        notice.isUnderWay = true;
        this.#unanswered.push(notice);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** There is no room, which nobody tells when it changes. */
  #wait({ name }: Notice): void {
    if (this.#delay === firstDelay) this.#report(new VhostUserError("peer-slow", name));
    this.#timer = setTimeout(() => this.#flush(), this.#delay);
    this.#delay = Math.min(2 * this.#delay, longestDelay);
  }

  #receive(): void {
    try {
      for (let count = 0; count < mostAnswers; count++) {
        const message = this.#messages?.receive();
        if (message === undefined) break;
        this.#take(message);
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#timer === undefined) this.#flush();
  }

  #take(message: Message<BackEndRequest>): void {
    closeAll(message.fds);
    const [notice] = this.#unanswered;
    if (notice?.name !== message.name) throw new VhostUserError("unexpected-reply", message.name);
    const answer = decodePayload("u64", message);
    this.#unanswered.shift();
    notice.isUnderWay = false;
    if (notice.onAnswer !== undefined) notice.onAnswer(answer);
    else if (answer !== 0n) this.#report(new VhostUserError("refused", message.name));
  }

  #fail(error: unknown): void {
    this.close();
    // Its end of the channel is closed with the rest of it, when a front end goes.
    if (error instanceof VhostUserError && error.rule === "peer-gone") return;
    this.#report(error instanceof Error ? error : new Error(String(error)));
  }
}
