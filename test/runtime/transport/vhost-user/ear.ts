import { UnixSocket } from "../../../../src/runtime/transport/posix/index.js";
import {
  backEndTable,
  decodePayload,
  encodePayload,
  MessageChannel,
  VhostUserError,
  type BackEndRequest,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { until, type ScriptedFrontEnd } from "./scripted-front-end.js";

/** The front end's end of the channel over which the back end asks. Reads and answers only when the test says so. */
export class Ear {
  readonly channel: MessageChannel<BackEndRequest>;
  /** What was heard and not taken yet, as "VRING_CALL 0". */
  readonly heard: string[] = [];
  /** Requests that wait for an answer. */
  readonly unanswered: BackEndRequest[] = [];

  private constructor(socket: UnixSocket) {
    this.channel = new MessageChannel(socket, backEndTable, "requests");
  }

  /** Gives the back end of `front` the other end of a new channel. */
  static async open(front: ScriptedFrontEnd): Promise<Ear> {
    const [ours, theirs] = UnixSocket.pair(front.system);
    const isTaken = await front.acknowledged("SET_BACKEND_REQ_FD", "none", undefined, [theirs.fd]);
    theirs.close();
    if (!isTaken) throw new Error("the channel was refused");
    return new Ear(ours);
  }

  /** Reads what is there. */
  listen(): void {
    for (let message = this.channel.receive(); message !== undefined; message = this.channel.receive()) {
      const { name, needReply } = message;
      const isOfRing = name === "VRING_CALL" || name === "VRING_ERR";
      this.heard.push(isOfRing ? `${name} ${decodePayload("vringState", message).index}` : name);
      if (needReply) this.unanswered.push(name);
    }
  }

  /** Answers everything that was heard. */
  answer(value = 0n): void {
    for (const name of this.unanswered.splice(0)) this.channel.reply(name, encodePayload("u64", value));
  }

  /** Until something was heard; it is answered, and counts no more. */
  async hears(what: string): Promise<void> {
    await until(() => {
      this.listen();
      return this.heard.includes(what);
    }, what);
    this.heard.length = 0;
    this.answer();
  }

  /** Everything that is heard until nothing comes any more, unanswered. */
  async all(): Promise<string[]> {
    for (let quiet = 0; quiet < 20; quiet++) {
      const before = this.heard.length;
      await new Promise((resolve) => setTimeout(resolve, 2));
      this.listen();
      if (this.heard.length > before) quiet = 0;
    }
    return this.heard.splice(0);
  }

  /** The back end has closed it. */
  async closed(): Promise<void> {
    await until(() => {
      try {
        this.channel.receive();
        return false;
      } catch (error) {
        if (error instanceof VhostUserError && error.rule === "peer-gone") return true;
        throw error;
      }
    }, "the end of the channel");
  }
}
