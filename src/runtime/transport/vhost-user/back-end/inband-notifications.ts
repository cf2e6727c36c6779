import { encodePayload } from "../protocol/index.js";
import { Notice, type BackEndChannel } from "./back-end-channel.js";

/** Calls and errors of rings as messages, where the front end has given no eventfd for them (INBAND_NOTIFICATIONS). */
export class InbandNotifications {
  readonly #channel: BackEndChannel;
  readonly #isNegotiated: () => boolean;
  readonly #calls = new Map<number, Notice>();
  readonly #errors = new Map<number, Notice>();

  constructor(channel: BackEndChannel, isNegotiated: () => boolean) {
    this.#channel = channel;
    this.#isNegotiated = isNegotiated;
  }

  get isOn(): boolean {
    return this.#isNegotiated();
  }

  /** Tells the driver of used buffers. False: not in this way. */
  call(ring: number): boolean {
    return this.#tell("VRING_CALL", this.#calls, ring);
  }
  /** Tells the front end that a ring does not work any more. */
  fail(ring: number): void {
    this.#tell("VRING_ERR", this.#errors, ring);
  }

  #tell(name: "VRING_CALL" | "VRING_ERR", notices: Map<number, Notice>, ring: number): boolean {
    if (!this.isOn) return false;
    let notice = notices.get(ring);
    if (notice === undefined) {
      notice = new Notice(name, encodePayload("vringState", { index: ring, num: 0 }), true);
      notices.set(ring, notice);
    }
    this.#channel.tell(notice);
    return true;
  }
}
