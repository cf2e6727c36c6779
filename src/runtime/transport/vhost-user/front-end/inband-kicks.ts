import { asVhostUserError, type FrontEndChannel } from "./front-end-channel.js";

/** Kicks as messages (INBAND_NOTIFICATIONS): of each ring one waits for its answer, and one is sent after that, at most. */
export class InbandKicks {
  readonly #channel: FrontEndChannel;
  readonly #underWay = new Set<number>();
  readonly #again = new Set<number>();

  constructor(channel: FrontEndChannel) {
    this.#channel = channel;
  }

  kick(ring: number): void {
    if (this.#underWay.has(ring)) this.#again.add(ring);
    else void this.#tell(ring);
  }

  /** The ring is being stopped: a kick after that would start it again. */
  forget(ring: number): void {
    this.#again.delete(ring);
  }

  /** Never rejects: who does not take kicks is of no use. */
  async #tell(index: number): Promise<void> {
    this.#underWay.add(index);
    try {
      do {
        this.#again.delete(index);
        await this.#channel.tell("VRING_KICK", { index, num: 0 });
      } while (this.#again.has(index));
    } catch (error) {
      this.#channel.end(asVhostUserError(error));
    } finally {
      this.#underWay.delete(index);
    }
  }
}
