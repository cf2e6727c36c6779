import { UnixSocket, type SystemCalls, type Watch, type Watcher } from "../../posix/index.js";
import { backEndTable, closeAll, encodePayload, MessageChannel, type BackEndRequest } from "../protocol/index.js";

/** The second connection, over which the back end asks and the front end answers. */
export class BackEndRequests {
  /** The end that is the back end's; to be closed here when it was sent. */
  readonly theirs: UnixSocket;
  readonly #messages: MessageChannel<BackEndRequest>;
  readonly #watch: Watch;
  readonly #onConfigChange: () => void;

  constructor(system: SystemCalls, watcher: Watcher, onConfigChange: () => void) {
    const [ours, theirs] = UnixSocket.pair(system);
    this.theirs = theirs;
    this.#messages = new MessageChannel(ours, backEndTable, "requests");
    this.#onConfigChange = onConfigChange;
    this.#watch = watcher.watch(ours.fd, () => this.#receive());
  }

  close(): void {
    this.#watch.close();
    this.#messages.close();
    this.theirs.close();
  }

  #receive(): void {
    try {
      while (this.#messages.socket.fd >= 0) {
        const message = this.#messages.receive();
        if (message === undefined) return;
        closeAll(message.fds);
        const isKnown = message.name === "CONFIG_CHANGE_MSG";
        if (message.needReply) this.#messages.reply(message.name, encodePayload("u64", isKnown ? 0n : 1n));
        if (isKnown) this.#onConfigChange();
      }
    } catch {
      // The connection that counts is the other one: without this one there are no news of the configuration.
      this.close();
    }
  }
}
