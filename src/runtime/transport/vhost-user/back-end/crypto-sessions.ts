import type { VirtioDevice } from "../../../device/index.js";
import {
  CREATED_BYTES,
  encodeCreateRequest,
  encodeDestroyRequest,
  VhostUserError,
  type CryptoSession,
  type CryptoSessionMessage,
} from "../protocol/index.js";
import { OwnQueue } from "./own-queue.js";

/** Number of the type of device. */
export const CRYPTO_DEVICE = 20;
/** The feature without which all control requests have the size of the longest. */
const REVISION_1 = 0;
const OK = 0;
const NO_SESSION = -1n;

/**
 * Is it a device whose front end may keep the control queue to itself, and has messages for its requests? Such a front end
 * (QEMU) does not enable the rings either: they are enabled from the start.
 */
export function keepsSessions(device: VirtioDevice): boolean {
  return device.definition.id === CRYPTO_DEVICE;
}

/**
 * Sessions that come as messages, because the front end serves the control queue itself (QEMU does). The device gets them as
 * the requests of its control queue that they have been.
 */
export class CryptoSessions {
  readonly #device: VirtioDevice;
  readonly #controlq: OwnQueue;
  readonly #patience: number;
  readonly #report: (error: Error) => void;
  /** Which sessions are asymmetric: they are destroyed by another request. */
  readonly #asymmetric = new Set<bigint>();

  /** @param patience for an answer of the device, in milliseconds */
  constructor(device: VirtioDevice, patience: number, report: (error: Error) => void) {
    this.#device = device;
    this.#patience = patience;
    this.#report = report;
    // The control queue is the one behind all data queues.
    this.#controlq = new OwnQueue(device, device.queues().at(-1)?.index ?? 0);
  }

  /** CREATE_CRYPTO_SESSION: the answer. A session that the device does not make has a negative number. */
  async create(message: CryptoSessionMessage): Promise<CryptoSessionMessage> {
    const { layout, session } = message;
    if (!this.isInUse) this.#asymmetric.clear();
    const answer = await this.#controlq.submit(encodeCreateRequest(session), CREATED_BYTES, this.#patience);
    const id = answer?.length === CREATED_BYTES ? idOf(answer) : NO_SESSION;
    if (answer === undefined) this.#report(new VhostUserError("crypto-session", "the device does not answer"));
    if (id >= 0n && session.kind === "asymmetric") this.#asymmetric.add(id);
    return { layout, id, session: withoutKeys(session) };
  }

  /**
   * CLOSE_CRYPTO_SESSION. The number is the driver's, so a wrong one is no reason to end the connection.
   * @throws VhostUserError when the device has no such session, and the front end wants to know.
   */
  async close(id: bigint, isAcknowledged: boolean): Promise<void> {
    const isLong = !this.#device.negotiated.has(REVISION_1);
    const request = encodeDestroyRequest(id, this.#asymmetric.delete(id), isLong);
    const answer = await this.#controlq.submit(request, 1, this.#patience);
    if (answer?.[0] === OK) return;
    const refused = new VhostUserError("refused", `to close the crypto session ${id}`);
    if (isAcknowledged) throw refused;
    this.#report(refused);
  }

  /** There have been sessions since the device was reset. */
  get isInUse(): boolean {
    return this.#controlq.isInUse;
  }

  /** The device has used buffers of a queue. */
  used(queue: number): void {
    if (queue === this.#controlq.index) this.#controlq.used();
  }
}

function idOf(answer: Uint8Array): bigint {
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  // In the message a number beyond 2^63 would be a failure; it stays one.
  return view.getUint32(8, true) === OK ? view.getBigInt64(0, true) : NO_SESSION;
}

/** The front end knows its keys. */
function withoutKeys(session: CryptoSession): CryptoSession {
  const none = new Uint8Array(0);
  return session.kind === "symmetric" ? { ...session, cipherKey: none, authKey: none } : { ...session, key: none };
}
