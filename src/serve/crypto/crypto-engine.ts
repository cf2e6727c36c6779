import {
  CryptoCipher,
  CryptoDevice,
  CryptoDeviceStatus,
  CryptoHashAlgorithm,
  CryptoMac,
  CryptoService,
  type CryptoChainData,
  type CryptoControl,
  type CryptoData,
  type CryptoStatus,
} from "../../../generated/crypto.js";
import type { HandlerResult } from "../../runtime/index.js";
import type { ServedDevice, ServedDeviceOptions } from "../served-device.js";
import { cipherNames, hashNames, longestCipherKey, macNames } from "./algorithms.js";
import { sessionFor, type CryptoSession } from "./sessions.js";

export interface CryptoEngineOptions extends ServedDeviceOptions {
  /** Data queues; 1 if absent. */
  readonly queues?: number;
}

/** A crypto device that does its work with node:crypto. */
export interface CryptoEngine extends ServedDevice {
  readonly device: CryptoDevice;
  /** Sessions that are open. */
  readonly sessions: number;
  /** Sessions that have been opened so far. */
  readonly opened: number;
}

const MOST_SESSIONS = 4096;
/** Most data of a request. It is copied once on its way. */
const MOST_DATA = 1 << 20;
const LONGEST_AUTH_KEY = 512;

const bits = (numbers: readonly number[]): number => numbers.reduce((mask, bit) => (mask | (1 << bit)) >>> 0, 0);

/** AES in ECB, CBC and CTR mode, hashes, HMACs, and ciphers chained with either. */
export function openCryptoEngine(options: CryptoEngineOptions = {}): CryptoEngine {
  const sessions = new Map<bigint, CryptoSession>();
  let last = 0n;
  let served = 0;

  function create(session: CryptoSession | CryptoStatus): {
    readonly sessionId: bigint;
    readonly status: CryptoStatus;
  } {
    if (typeof session === "string") return { sessionId: 0n, status: session };
    if (sessions.size >= MOST_SESSIONS) return { sessionId: 0n, status: "NOSPC" };
    sessions.set(++last, session);
    return { sessionId: last, status: "OK" };
  }

  function control(request: CryptoControl): HandlerResult {
    switch (request.opcode) {
      case "CIPHER_CREATE_SESSION":
      case "HASH_CREATE_SESSION":
      case "MAC_CREATE_SESSION":
        return request.complete({ opOutcome: create(sessionFor(request)) });
      case "AEAD_CREATE_SESSION":
      case "AKCIPHER_CREATE_SESSION":
        return request.complete({ opOutcome: create("NOTSUPP") });
      case "CIPHER_DESTROY_SESSION":
      case "HASH_DESTROY_SESSION":
      case "MAC_DESTROY_SESSION":
      case "AEAD_DESTROY_SESSION":
      case "AKCIPHER_DESTROY_SESSION":
        return request.complete({
          opOutcome: { status: sessions.delete(request.opFlf.sessionId) ? "OK" : "INVSESS" },
        });
      default:
        return request.complete();
    }
  }

  function data(request: CryptoData): HandlerResult {
    served++;
    return request.complete(process(request, sessions.get(request.sessionId)));
  }

  const device = new Engine(
    {
      config: {
        status: CryptoDeviceStatus.HW_READY,
        maxDataqueues: options.queues ?? 1,
        cryptoServices: bits([CryptoService.CIPHER, CryptoService.HASH, CryptoService.MAC]),
        cipherAlgoL: bits(cipherNames.map((name) => CryptoCipher[name])),
        hashAlgo: bits(hashNames.map((name) => CryptoHashAlgorithm[name])),
        macAlgoL: bits(macNames.map((name) => CryptoMac[name])),
        maxCipherKeyLen: longestCipherKey,
        maxAuthKeyLen: LONGEST_AUTH_KEY,
        maxSize: BigInt(MOST_DATA),
      },
      features: ["REVISION_1", ...(options.features ?? [])],
      // As many as QEMU has; over vhost-user it cannot be told of fewer.
      queueSize: 1024,
      dataq: data,
      controlq: control,
    },
    () => sessions.clear(),
  );
  device.onProtocolError = options.onError;
  return {
    device,
    unit: "requests",
    get served() {
      return served;
    },
    get sessions() {
      return sessions.size;
    },
    get opened() {
      return Number(last);
    },
    close() {
      sessions.clear();
      return Promise.resolve();
    },
  };
}

/** Sessions end with a reset of the device. */
class Engine extends CryptoDevice {
  readonly #forget: () => void;

  constructor(options: ConstructorParameters<typeof CryptoDevice>[0], forget: () => void) {
    super(options);
    this.#forget = forget;
  }

  protected override deviceReset(): void {
    this.#forget();
  }
}

function process(request: CryptoData, session: CryptoSession | undefined): CryptoStatus {
  switch (request.variant) {
    case "Cipher": {
      if (session?.service !== "cipher") return "INVSESS";
      const { srcData, dstData } = request;
      if (srcData.length > MOST_DATA || dstData.length < srcData.length) return "ERR";
      const result = session.cipher(request.iv, srcData.toUint8Array());
      if (result === undefined) return "ERR";
      dstData.write(result);
      return "OK";
    }
    case "Chain":
      return session?.service === "chain" ? chain(request, session) : "INVSESS";
    case "Hash":
    case "Mac": {
      if (session?.service !== "digest") return "INVSESS";
      const { srcData, hashResult } = request;
      if (srcData.length > MOST_DATA) return "ERR";
      hashResult.write(session.digest(srcData.toUint8Array()));
      return "OK";
    }
    default:
      return "NOTSUPP";
  }
}

/** A part of the data goes through the cipher; of a part, and of what was said beside it, there is a digest. */
function chain(request: CryptoChainData, session: Extract<CryptoSession, { service: "chain" }>): CryptoStatus {
  const { srcData, dstData, aad, hashResult } = request;
  const { cipherStartSrcOffset, lenToCipher, hashStartSrcOffset, lenToHash } = request.opTypeFlf.chain;
  if (srcData.length > MOST_DATA || aad.length > MOST_DATA || dstData.length < srcData.length) return "ERR";
  const bytes = srcData.toUint8Array();
  const cipherEnd = cipherStartSrcOffset + lenToCipher;
  const hashEnd = hashStartSrcOffset + lenToHash;
  if (cipherEnd > bytes.length || hashEnd > bytes.length) return "ERR";
  const digest = (): Uint8Array => session.digest(aad.toUint8Array(), bytes.subarray(hashStartSrcOffset, hashEnd));
  const before = session.digestsFirst ? digest() : undefined;
  const ciphered = session.cipher(request.iv, bytes.subarray(cipherStartSrcOffset, cipherEnd));
  if (ciphered === undefined) return "ERR";
  bytes.set(ciphered, cipherStartSrcOffset);
  dstData.write(bytes);
  hashResult.write(before ?? digest());
  return "OK";
}
