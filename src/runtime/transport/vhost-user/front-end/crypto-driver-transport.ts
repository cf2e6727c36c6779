import { DeviceStatus } from "../../../negotiation/device-status.js";
import { ringFeatures } from "../../../negotiation/ring-features.js";
import { FeatureSet } from "../../../negotiation/feature-set.js";
import { createDeviceQueue, type DeviceChain, type DeviceQueue, type QueueAddresses } from "../../../ring/index.js";
import type { DriverTransport, MaybePromise } from "../../driver-transport.js";
import { CREATED_BYTES, CryptoOpcode, decodeCreateRequest, decodeDestroyRequest, opcodeOf } from "../protocol/index.js";
import type { VhostUserDriverTransport } from "./vhost-user-driver-transport.js";

/** Where the configuration has the number of data queues, which is the index of the control queue. */
const MAX_DATAQUEUES = 4;
/** Longest request that there is a message for, with room to spare. */
const MOST_BYTES = 4096;

const Status = { OK: 0, ERR: 1, NOTSUPP: 3, INVSESS: 4 } as const;

/** Requests that destroy a session, whatever its kind. */
const DESTROY: readonly number[] = [
  CryptoOpcode.CIPHER_DESTROY_SESSION,
  0x0103,
  0x0203,
  0x0303,
  CryptoOpcode.AKCIPHER_DESTROY_SESSION,
];
/** Requests that create one that there is no message for: hashes, MACs, AEAD. */
const WITHOUT_MESSAGE: readonly number[] = [0x0102, 0x0202, 0x0302];

/**
 * A crypto device whose control queue is served here, as QEMU does it: its requests become messages to the back end. For a
 * back end that has no control queue.
 *
 * ```ts
 * const transport = await connect("/run/crypto.sock", { deviceId: CRYPTO_DEVICE_ID });
 * const driver = await CryptoDriver.start(new CryptoMessages(transport));
 * ```
 *
 * There are messages for ciphers, chains and asymmetric ciphers; another session is refused with NOTSUPP. Where the back end
 * has no configuration space, `connect` has to be told one.
 */
export class CryptoMessages implements DriverTransport {
  readonly #inner: VhostUserDriverTransport;
  onQueueUsed: ((index: number) => void) | undefined;
  #features = FeatureSet.none;
  #index: number | undefined;
  #queue: DeviceQueue | undefined;
  #isServing = false;
  /** Somebody else wrote to the control ring. Until a reset. */
  #isBroken = false;

  constructor(transport: VhostUserDriverTransport) {
    this.#inner = transport;
    this.onQueueUsed = undefined;
    this.#index = undefined;
    this.#queue = undefined;
    transport.onQueueUsed = (index) => this.onQueueUsed?.(index);
  }

  get deviceId(): number {
    return this.#inner.deviceId;
  }
  get memory(): VhostUserDriverTransport["memory"] {
    return this.#inner.memory;
  }
  get allocator(): VhostUserDriverTransport["allocator"] {
    return this.#inner.allocator;
  }
  get onConfigChange(): (() => void) | undefined {
    return this.#inner.onConfigChange;
  }
  set onConfigChange(told: (() => void) | undefined) {
    this.#inner.onConfigChange = told;
  }

  async getStatus(): Promise<number> {
    return (await this.#inner.getStatus()) | (this.#isBroken ? DeviceStatus.NEEDS_RESET : 0);
  }
  async setStatus(status: number): Promise<void> {
    if (status === 0) {
      this.#queue?.dispose();
      this.#queue = undefined;
      this.#index = undefined;
      this.#isBroken = false;
    }
    await this.#inner.setStatus(status);
  }
  getFeatures(): FeatureSet {
    return this.#inner.getFeatures();
  }
  async setFeatures(features: FeatureSet): Promise<void> {
    this.#features = features;
    await this.#inner.setFeatures(features);
  }
  readConfig(offset: number, length: number): Promise<Uint8Array> {
    return this.#inner.readConfig(offset, length);
  }
  writeConfig(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#inner.writeConfig(offset, bytes);
  }
  configGeneration(): number {
    return this.#inner.configGeneration();
  }
  async queueMaxSize(index: number): Promise<number> {
    // The back end need not know of the control queue.
    return this.#inner.queueMaxSize((await this.#isControl(index)) ? 0 : index);
  }
  async enableQueue(index: number, addresses: QueueAddresses): Promise<void> {
    if (!(await this.#isControl(index))) {
      await this.#inner.enableQueue(index, addresses);
      return;
    }
    this.#queue = createDeviceQueue({
      index,
      memory: this.memory,
      addresses,
      features: ringFeatures(this.#features),
      notifyDriver: () => this.onQueueUsed?.(index),
      // The driver is in this process, and does not break its own ring. But it lies in memory that the back end has, too.
      onBroken: () => {
        this.#isBroken = true;
        this.onConfigChange?.();
      },
    });
  }
  queueEnabled(index: number): MaybePromise<boolean> {
    return index === this.#index ? this.#queue !== undefined : this.#inner.queueEnabled(index);
  }
  resetQueue(index: number): void {
    if (index !== this.#index) {
      this.#inner.resetQueue(index);
      return;
    }
    this.#queue?.dispose();
    this.#queue = undefined;
  }
  queueResetting(index: number): boolean {
    return this.#inner.queueResetting(index);
  }
  notify(index: number): void {
    if (index !== this.#index) this.#inner.notify(index);
    else if (!this.#isServing) void this.#serve();
  }

  async #isControl(index: number): Promise<boolean> {
    if (this.#index === undefined) {
      const bytes = await this.readConfig(MAX_DATAQUEUES, 4);
      if (bytes.length === 4) this.#index = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    }
    return index === this.#index;
  }

  /** Serves what there is, one after the other. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    // The driver is not called before its notification returns.
    await Promise.resolve();
    for (;;) {
      const queue = this.#queue;
      const chain = queue?.take();
      if (queue === undefined || chain === undefined) break;
      const written = await this.#answer(chain);
      queue.complete(chain, written);
      queue.flush();
    }
    this.#isServing = false;
  }

  /** Returns how many bytes were written. */
  async #answer(chain: DeviceChain): Promise<number> {
    const { readable, writable } = chain;
    const request = readable.length > MOST_BYTES ? new Uint8Array(0) : readable.toUint8Array();
    const opcode = opcodeOf(request) ?? -1;
    if (DESTROY.includes(opcode)) return writable.write(Uint8Array.of(await this.#destroy(request)));
    if (WITHOUT_MESSAGE.includes(opcode)) return writable.write(created(0n, Status.NOTSUPP));
    const session = decodeCreateRequest(request);
    if (session === undefined) return 0;
    // What cannot be put into a message, or not be sent, makes no session.
    const id = await this.#inner.createCryptoSession(session).catch(() => undefined);
    return writable.write(id === undefined ? created(0n, Status.ERR) : created(id, Status.OK));
  }

  async #destroy(request: Uint8Array): Promise<number> {
    const id = decodeDestroyRequest(request);
    if (id === undefined) return Status.ERR;
    const isDone = await this.#inner.closeCryptoSession(id).catch(() => undefined);
    if (isDone === undefined) return Status.ERR;
    return isDone ? Status.OK : Status.INVSESS;
  }
}

function created(id: bigint, status: number): Uint8Array {
  const answer = new Uint8Array(CREATED_BYTES);
  const view = new DataView(answer.buffer);
  view.setBigUint64(0, id, true);
  view.setUint32(8, status, true);
  return answer;
}
