import { nextTurn } from "../../next-turn.js";
import type { Watch, Watcher } from "../../posix/index.js";
import {
  closeAll,
  encodePayload,
  frontEndTable,
  mostTableRegions,
  ProtocolFeature,
  VhostUserError,
  type FrontEndRequest,
  type Message,
  type MessageChannel,
} from "../protocol/index.js";
import type { Reply } from "./reply.js";
import type { Session } from "./session.js";

/** Requests that are served in one turn of the event loop. */
const mostAtOnce = 64;
/** Bit of a payload that says that there is no file descriptor. */
const noDescriptor = 0x100n;

/**
 * Serves the requests of one front end, one after the other, until it goes away or breaks a rule that nothing but the end
 * of the connection can tell it of.
 */
export class Connection {
  /** Done when the connection is over: why, if it was not the peer who closed it. */
  readonly ended: Promise<VhostUserError | undefined>;
  readonly #channel: MessageChannel<FrontEndRequest>;
  readonly #session: Session;
  readonly #watcher: Watcher;
  readonly #report: (error: Error) => void;
  #watch: Watch | undefined;
  #end: (error: VhostUserError | undefined) => void = () => undefined;
  #isOver = false;

  constructor(
    channel: MessageChannel<FrontEndRequest>,
    session: Session,
    watcher: Watcher,
    report: (error: Error) => void,
  ) {
    this.#channel = channel;
    this.#session = session;
    this.#watcher = watcher;
    this.#report = report;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#watch = undefined;
    this.#listen();
  }

  close(error?: VhostUserError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watch?.close();
    this.#channel.close();
    this.#end(error);
  }

  #listen(): void {
    if (this.#isOver) return;
    this.#watch = this.#watcher.watch(this.#channel.socket.fd, () => {
      // While requests are being served the socket stays readable, and nobody wants to be told.
      this.#watch?.close();
      void this.#serve().then(() => this.#listen());
    });
  }

  /** Serves what has come. */
  async #serve(): Promise<void> {
    try {
      for (let count = 1; ; count++) {
        // Others have their turn, however many requests a front end sends that nobody has to wait for.
        if (count % mostAtOnce === 0) await new Promise<void>(nextTurn);
        const message = this.#isOver ? undefined : this.#channel.receive();
        if (message === undefined) return;
        await this.#answer(message);
      }
    } catch (error) {
      const isEnd = error instanceof VhostUserError && error.rule === "peer-gone";
      if (isEnd) this.close();
      else
        this.close(
          error instanceof VhostUserError ? error : new VhostUserError("refused", String(error), { cause: error }),
        );
    }
  }

  async #answer(message: Message<FrontEndRequest>): Promise<void> {
    const { name, needReply } = message;
    const fds = [...message.fds];
    let reply: Reply | undefined;
    const mayAsk = (): boolean => this.#session.protocolFeatures.has(ProtocolFeature.REPLY_ACK);
    const acknowledges = needReply && mayAsk();
    try {
      this.#check(message);
      reply = await this.#session.handle(message, fds);
    } catch (error) {
      // With an acknowledgement the front end is told; otherwise it would go on as if all were well.
      if (!acknowledges || frontEndTable.shapes[name].reply !== undefined) throw error;
      this.#report(error instanceof Error ? error : new Error(String(error)));
      reply = { payload: encodePayload("u64", 1n) };
    } finally {
      closeAll(fds);
    }
    // Linux's own front end asks for an acknowledgement of the very request that negotiates them.
    if (reply === undefined && (acknowledges || (needReply && mayAsk()))) reply = { payload: encodePayload("u64", 0n) };
    if (reply === undefined || this.#isOver) {
      closeAll(reply?.fds ?? []);
      return;
    }
    try {
      this.#channel.reply(name, reply.payload, reply.fds);
    } finally {
      closeAll(reply.fds ?? []);
    }
  }

  /** Does the request fit what was negotiated, and are there as many descriptors as it has? */
  #check(message: Message<FrontEndRequest>): void {
    const { name, payload, fds } = message;
    const { needs, fds: wanted } = frontEndTable.shapes[name];
    if (needs !== undefined && !this.#session.protocolFeatures.has(ProtocolFeature[needs])) {
      throw new VhostUserError("not-negotiated", `${name} needs ${needs}`);
    }
    if (this.#session.postCopy.isAcknowledgement(message)) return;
    const [least, most] = descriptorsOf(wanted, payload);
    if (fds.length >= least && fds.length <= most) return;
    throw new VhostUserError(
      "descriptor-count",
      `${name} with ${fds.length}, not ${least}${least === most ? "" : ` to ${most}`}`,
    );
  }
}

function descriptorsOf(
  wanted: 0 | 1 | "regions" | "unless-flagged" | "optional",
  payload: Uint8Array,
): readonly [least: number, most: number] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  switch (wanted) {
    case 0:
    case 1:
      return [wanted, wanted];
    case "optional":
      return [0, 1];
    case "regions": {
      const regions = payload.length < 4 ? 0 : Math.min(view.getUint32(0, true), mostTableRegions);
      return [regions, regions];
    }
    case "unless-flagged": {
      const isFlagged = payload.length >= 8 && (view.getBigUint64(0, true) & noDescriptor) !== 0n;
      return isFlagged ? [0, 0] : [1, 1];
    }
  }
}
