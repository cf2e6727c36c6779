import type { VirtioDevice } from "../../../device/index.js";
import {
  CryptoOpcode,
  VhostUserError,
  type AsymmetricSession,
  type CryptoSession,
  type CryptoSessionMessage,
  type SymmetricSession,
} from "../protocol/index.js";
import { OwnQueue } from "./own-queue.js";

/** Number of the type of device. */
export const CRYPTO_DEVICE = 20;
/** The feature without which all control requests have the size of the longest. */
const REVISION_1 = 0;
const HEADER_BYTES = 16;
/** What a control request has between its header and its keys; less, if REVISION_1 says so. */
const PARAMETER_BYTES = 56;
const DESTROY_BYTES = 8;
/** Number, status, padding. */
const CREATED_BYTES = 16;
const OK = 0;
const NO_SESSION = -1n;

const ALGORITHM_CHAINING = 2;
const PLAIN_HASH = 1;

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
    const answer = await this.#controlq.submit(createRequest(session), CREATED_BYTES, this.#patience);
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
    const { AKCIPHER_DESTROY_SESSION, CIPHER_DESTROY_SESSION } = CryptoOpcode;
    const opcode = this.#asymmetric.delete(id) ? AKCIPHER_DESTROY_SESSION : CIPHER_DESTROY_SESSION;
    const length = this.#device.negotiated.has(REVISION_1) ? DESTROY_BYTES : PARAMETER_BYTES;
    const request = new Uint8Array(HEADER_BYTES + length);
    const view = new DataView(request.buffer);
    view.setUint32(0, opcode, true);
    view.setBigUint64(HEADER_BYTES, id, true);
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

/** The control request that makes a session: header, parameters, keys (VIRTIO 1.4, 5.9.9.2). */
function createRequest(session: CryptoSession): Uint8Array {
  const keys = keysOf(session);
  const request = new Uint8Array(HEADER_BYTES + PARAMETER_BYTES + keys.reduce((sum, { length }) => sum + length, 0));
  const header = new DataView(request.buffer);
  const parameters = new DataView(request.buffer, HEADER_BYTES, PARAMETER_BYTES);
  if (session.kind === "symmetric") {
    header.setUint32(0, CryptoOpcode.CIPHER_CREATE_SESSION, true);
    header.setUint32(4, session.cipher, true);
    writeSymmetric(parameters, session);
  } else {
    header.setUint32(0, CryptoOpcode.AKCIPHER_CREATE_SESSION, true);
    header.setUint32(4, session.algorithm, true);
    writeAsymmetric(parameters, session);
  }
  let at = HEADER_BYTES + PARAMETER_BYTES;
  for (const key of keys) {
    request.set(key, at);
    at += key.length;
  }
  return request;
}

function keysOf(session: CryptoSession): Uint8Array[] {
  if (session.kind === "asymmetric") return [session.key];
  const isKeyed = session.operation === ALGORITHM_CHAINING && session.hashMode !== PLAIN_HASH;
  return isKeyed ? [session.cipherKey, session.authKey] : [session.cipherKey];
}

function writeSymmetric(parameters: DataView, session: SymmetricSession): void {
  const isChain = session.operation === ALGORITHM_CHAINING;
  writeCipher(parameters, isChain ? 8 : 0, session);
  if (isChain) {
    parameters.setUint32(0, session.chainOrder, true);
    parameters.setUint32(4, session.hashMode, true);
    parameters.setUint32(24, session.hash, true);
    parameters.setUint32(28, session.hashResultLength, true);
    if (session.hashMode !== PLAIN_HASH) parameters.setUint32(32, session.authKey.length, true);
    parameters.setUint32(40, session.aadLength, true);
  }
  parameters.setUint32(48, session.operation, true);
}
function writeCipher(parameters: DataView, at: number, { cipher, cipherKey, direction }: SymmetricSession): void {
  parameters.setUint32(at, cipher, true);
  parameters.setUint32(at + 4, cipherKey.length, true);
  parameters.setUint32(at + 8, direction, true);
}

function writeAsymmetric(parameters: DataView, session: AsymmetricSession): void {
  parameters.setUint32(0, session.algorithm, true);
  parameters.setUint32(4, session.keyType, true);
  parameters.setUint32(8, session.key.length, true);
  parameters.setUint32(12, session.padding, true);
  parameters.setUint32(16, session.hash, true);
}
