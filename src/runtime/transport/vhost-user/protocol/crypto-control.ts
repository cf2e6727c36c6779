import { CryptoOpcode, type AsymmetricSession, type CryptoSession, type SymmetricSession } from "./crypto-session.js";

// Requests of a crypto device's control queue (VIRTIO 1.4, 5.9.9.2), which the messages of sessions stand for.

const HEADER_BYTES = 16;
/** Between the header and the keys. Without REVISION_1 all requests have as much. */
const PARAMETER_BYTES = 56;
const DESTROY_BYTES = 8;
const KEYS_AT = HEADER_BYTES + PARAMETER_BYTES;
/** The answer to a request that creates a session: its number, status, padding. */
export const CREATED_BYTES = 16;

const ALGORITHM_CHAINING = 2;
const PLAIN_HASH = 1;
// Where the parameters of a chain have those of its cipher.
const CHAINED_CIPHER = 8;

/** The request that makes a session: header, parameters, keys. */
export function encodeCreateRequest(session: CryptoSession): Uint8Array {
  const keys = keysOf(session);
  const request = new Uint8Array(KEYS_AT + keys.reduce((sum, { length }) => sum + length, 0));
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
  let at = KEYS_AT;
  for (const key of keys) {
    request.set(key, at);
    at += key.length;
  }
  return request;
}

/**
 * The session that a request asks for. Undefined: it asks for none that there is a message for, or is cut off.
 */
export function decodeCreateRequest(request: Uint8Array): CryptoSession | undefined {
  if (request.length < KEYS_AT) return undefined;
  const parameters = new DataView(request.buffer, request.byteOffset + HEADER_BYTES, PARAMETER_BYTES);
  switch (opcodeOf(request)) {
    case CryptoOpcode.CIPHER_CREATE_SESSION:
      return readSymmetric(parameters, request.subarray(KEYS_AT));
    case CryptoOpcode.AKCIPHER_CREATE_SESSION:
      return readAsymmetric(parameters, request.subarray(KEYS_AT));
    default:
      return undefined;
  }
}

/** The request that ends a session. `isLong`: REVISION_1 was not negotiated. */
export function encodeDestroyRequest(id: bigint, isAsymmetric: boolean, isLong: boolean): Uint8Array {
  const { AKCIPHER_DESTROY_SESSION, CIPHER_DESTROY_SESSION } = CryptoOpcode;
  const request = new Uint8Array(HEADER_BYTES + (isLong ? PARAMETER_BYTES : DESTROY_BYTES));
  const view = new DataView(request.buffer);
  view.setUint32(0, isAsymmetric ? AKCIPHER_DESTROY_SESSION : CIPHER_DESTROY_SESSION, true);
  view.setBigUint64(HEADER_BYTES, id, true);
  return request;
}

/** The session that a request ends; undefined if it is cut off. */
export function decodeDestroyRequest(request: Uint8Array): bigint | undefined {
  if (request.length < HEADER_BYTES + DESTROY_BYTES) return undefined;
  return new DataView(request.buffer, request.byteOffset).getBigUint64(HEADER_BYTES, true);
}

/** What a request does; undefined if it is cut off. */
export function opcodeOf(request: Uint8Array): number | undefined {
  if (request.length < HEADER_BYTES) return undefined;
  return new DataView(request.buffer, request.byteOffset).getUint32(0, true);
}

function keysOf(session: CryptoSession): Uint8Array[] {
  if (session.kind === "asymmetric") return [session.key];
  const isKeyed = session.operation === ALGORITHM_CHAINING && session.hashMode !== PLAIN_HASH;
  return isKeyed ? [session.cipherKey, session.authKey] : [session.cipherKey];
}

function writeSymmetric(parameters: DataView, session: SymmetricSession): void {
  const isChain = session.operation === ALGORITHM_CHAINING;
  const at = isChain ? CHAINED_CIPHER : 0;
  parameters.setUint32(at, session.cipher, true);
  parameters.setUint32(at + 4, session.cipherKey.length, true);
  parameters.setUint32(at + 8, session.direction, true);
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
function readSymmetric(parameters: DataView, keys: Uint8Array): SymmetricSession | undefined {
  const operation = parameters.getUint32(48, true);
  const isChain = operation === ALGORITHM_CHAINING;
  const at = isChain ? CHAINED_CIPHER : 0;
  const keyLength = parameters.getUint32(at + 4, true);
  const hashMode = isChain ? parameters.getUint32(4, true) : 0;
  const authKeyLength = isChain && hashMode !== PLAIN_HASH ? parameters.getUint32(32, true) : 0;
  if (keyLength + authKeyLength > keys.length) return undefined;
  const chained = (place: number): number => (isChain ? parameters.getUint32(place, true) : 0);
  return {
    kind: "symmetric",
    cipher: parameters.getUint32(at, true),
    hash: chained(24),
    hashResultLength: chained(28),
    aadLength: chained(40),
    operation,
    direction: parameters.getUint32(at + 8, true),
    hashMode,
    chainOrder: chained(0),
    cipherKey: keys.slice(0, keyLength),
    authKey: keys.slice(keyLength, keyLength + authKeyLength),
  };
}

function writeAsymmetric(parameters: DataView, session: AsymmetricSession): void {
  parameters.setUint32(0, session.algorithm, true);
  parameters.setUint32(4, session.keyType, true);
  parameters.setUint32(8, session.key.length, true);
  parameters.setUint32(12, session.padding, true);
  parameters.setUint32(16, session.hash, true);
}
function readAsymmetric(parameters: DataView, keys: Uint8Array): AsymmetricSession | undefined {
  const keyLength = parameters.getUint32(8, true);
  if (keyLength > keys.length) return undefined;
  return {
    kind: "asymmetric",
    algorithm: parameters.getUint32(0, true),
    keyType: parameters.getUint32(4, true),
    padding: parameters.getUint32(12, true),
    hash: parameters.getUint32(16, true),
    key: keys.slice(0, keyLength),
  };
}
