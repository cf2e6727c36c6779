import { UnixSocket, type SystemCalls, type Watch, type Watcher } from "../../posix/index.js";
import {
  backEndTable,
  closeAll,
  decodePayload,
  encodePayload,
  MessageChannel,
  type BackEndRequest,
  type Message,
  type VhostUserError,
} from "../protocol/index.js";
import { asVhostUserError } from "./front-end-channel.js";

/** Most requests that are looked at in one turn of the event loop. */
const mostAtOnce = 64;

export interface BackEndEvents {
  onConfigChange(): void;
  /** A ring has used buffers. False: there is none with this number, or it does not tell it in this way. */
  onCall(ring: number): boolean;
  /** A ring does not work any more. False: as for {@link onCall}. */
  onFailure(ring: number): boolean;
  /** Told once, when nothing more can come over this connection. */
  onEnd(error: VhostUserError): void;
}

/** The second connection, over which the back end asks and the front end answers. */
export class BackEndRequests {
  /** The end that is the back end's; to be closed here when it was sent. */
  readonly theirs: UnixSocket;
  readonly #messages: MessageChannel<BackEndRequest>;
  readonly #watch: Watch;
  readonly #events: BackEndEvents;

  constructor(system: SystemCalls, watcher: Watcher, events: BackEndEvents) {
    const [ours, theirs] = UnixSocket.pair(system);
    this.theirs = theirs;
    this.#messages = new MessageChannel(ours, backEndTable, "requests");
    this.#events = events;
    this.#watch = watcher.watch(ours.fd, () => this.#receive());
  }

  close(): void {
    this.#watch.close();
    this.#messages.close();
    this.theirs.close();
  }

  #receive(): void {
    try {
      for (let count = 0; count < mostAtOnce && this.#messages.socket.fd >= 0; count++) {
        const message = this.#messages.receive();
        if (message === undefined) return;
        closeAll(message.fds);
        const isDone = this.#do(message);
        // Whoever was told may have closed it.
        if (!message.needReply || this.#messages.socket.fd < 0) continue;
        this.#messages.reply(message.name, encodePayload("u64", isDone ? 0n : 1n));
      }
    } catch (error) {
      this.close();
      this.#events.onEnd(asVhostUserError(error));
    }
  }

  #do(message: Message<BackEndRequest>): boolean {
    switch (message.name) {
      case "CONFIG_CHANGE_MSG":
        this.#events.onConfigChange();
        return true;
      case "VRING_CALL":
        return this.#events.onCall(decodePayload("vringState", message).index);
      case "VRING_ERR":
        return this.#events.onFailure(decodePayload("vringState", message).index);
      case "IOTLB_MSG":
        // Nothing is translated on this side.
        return false;
    }
  }
}
