import { VhostUserError } from "./fault.js";

/**
 * A session of ciphers, and of hashes or MACs chained to them. The numbers are those of the device's control requests (VIRTIO
 * 1.4, 5.9.9.2.1.3), and nobody has checked them.
 */
export interface SymmetricSession {
  readonly kind: "symmetric";
  readonly cipher: number;
  /** Algorithm of the hash, or of the MAC; by `hashMode`. */
  readonly hash: number;
  /** In bytes. */
  readonly hashResultLength: number;
  /** Additional authenticated data, in bytes. */
  readonly aadLength: number;
  /** 1: a cipher; 2: a cipher and a hash or MAC. */
  readonly operation: number;
  /** 1: encrypt; 2: decrypt. */
  readonly direction: number;
  /** Of a chain. 1: a hash; 2: a MAC. */
  readonly hashMode: number;
  /** Of a chain. 1: the hash first; 2: the cipher first. */
  readonly chainOrder: number;
  /** At most 64 bytes. */
  readonly cipherKey: Uint8Array;
  /** At most 512 bytes. */
  readonly authKey: Uint8Array;
}

/** A session of an asymmetric cipher (5.9.9.2.1.5). */
export interface AsymmetricSession {
  readonly kind: "asymmetric";
  readonly algorithm: number;
  /** 1: public; 2: private. */
  readonly keyType: number;
  /** Of RSA. */
  readonly padding: number;
  /** Of RSA. */
  readonly hash: number;
  /** At most 1,024 bytes. */
  readonly key: Uint8Array;
}

export type CryptoSession = SymmetricSession | AsymmetricSession;

/** What CREATE_CRYPTO_SESSION carries, both ways. */
export interface CryptoSessionMessage {
  /**
   * There are two layouts, which the protocol's text does not describe, and their size tells them apart: QEMU 7.2 has
   * symmetric sessions only, in 632 bytes; later ones have an operation in front that says which kind it is, in 1,072.
   */
  readonly layout: "symmetric" | "tagged";
  /** The answer: negative if there is no session. */
  readonly id: bigint;
  readonly session: CryptoSession;
}

/** Opcodes of the control requests that create and destroy sessions: the service in bits 8 and up. */
export const CryptoOpcode = {
  CIPHER_CREATE_SESSION: 0x0002,
  CIPHER_DESTROY_SESSION: 0x0003,
  AKCIPHER_CREATE_SESSION: 0x0404,
  AKCIPHER_DESTROY_SESSION: 0x0405,
} as const;

// Both layouts are C structures of a 64-bit machine, pointers of the front end's included, which mean nothing here.
const SYMMETRIC_BYTES = 624;
const CIPHER_KEY = { at: 48, most: 64 } as const;
const AUTH_KEY = { at: 112, most: 512 } as const;
const ASYMMETRIC_BYTES = 1056;
const ASYMMETRIC_KEY = { at: 32, most: 1024 } as const;
/** The number of the session, and then the session. */
const SYMMETRIC_LAYOUT = 8 + SYMMETRIC_BYTES;
/** Operation, a session of either kind, number. */
const TAGGED_LAYOUT = 8 + ASYMMETRIC_BYTES + 8;

export const cryptoSessionLayout = {
  encode({ layout, id, session }: CryptoSessionMessage): Uint8Array {
    const bytes = new Uint8Array(layout === "tagged" ? TAGGED_LAYOUT : SYMMETRIC_LAYOUT);
    const view = viewOf(bytes);
    const body = bytes.subarray(8);
    if (session.kind === "symmetric") writeSymmetric(body, session);
    else if (layout === "tagged") writeAsymmetric(body, session);
    else throw new VhostUserError("crypto-session", "an asymmetric one has no place in this layout");
    if (layout === "symmetric") view.setBigInt64(0, id, true);
    else {
      const { CIPHER_CREATE_SESSION, AKCIPHER_CREATE_SESSION } = CryptoOpcode;
      view.setUint32(0, session.kind === "symmetric" ? CIPHER_CREATE_SESSION : AKCIPHER_CREATE_SESSION, true);
      view.setBigInt64(TAGGED_LAYOUT - 8, id, true);
    }
    return bytes;
  },
  decode(bytes: Uint8Array): CryptoSessionMessage {
    const view = viewOf(bytes);
    switch (bytes.length) {
      case SYMMETRIC_LAYOUT:
        return { layout: "symmetric", id: view.getBigInt64(0, true), session: readSymmetric(bytes.subarray(8)) };
      case TAGGED_LAYOUT: {
        const id = view.getBigInt64(TAGGED_LAYOUT - 8, true);
        return { layout: "tagged", id, session: readTagged(view.getBigUint64(0, true), bytes.subarray(8)) };
      }
      default:
        throw new VhostUserError(
          "payload-size",
          `${bytes.length} bytes, not ${SYMMETRIC_LAYOUT} or ${TAGGED_LAYOUT}, for a crypto session`,
        );
    }
  },
};

function readTagged(opcode: bigint, body: Uint8Array): CryptoSession {
  // Only 32 of its bits are the operation's, but nothing else is ever there.
  switch (opcode) {
    case BigInt(CryptoOpcode.CIPHER_CREATE_SESSION):
      return readSymmetric(body);
    case BigInt(CryptoOpcode.AKCIPHER_CREATE_SESSION):
      return readAsymmetric(body);
    default:
      throw new VhostUserError("crypto-session", `operation 0x${opcode.toString(16)}`);
  }
}

function readSymmetric(body: Uint8Array): SymmetricSession {
  const view = viewOf(body);
  return {
    kind: "symmetric",
    cipher: view.getUint32(0, true),
    cipherKey: readKey(body, CIPHER_KEY, view.getUint32(4, true)),
    hash: view.getUint32(8, true),
    hashResultLength: view.getUint32(12, true),
    authKey: readKey(body, AUTH_KEY, view.getUint32(16, true)),
    aadLength: view.getUint32(20, true),
    operation: view.getUint8(24),
    direction: view.getUint8(25),
    hashMode: view.getUint8(26),
    chainOrder: view.getUint8(27),
  };
}
function writeSymmetric(body: Uint8Array, session: SymmetricSession): void {
  const view = viewOf(body);
  const { cipherKey, authKey } = session;
  view.setUint32(0, session.cipher, true);
  view.setUint32(4, cipherKey.length, true);
  view.setUint32(8, session.hash, true);
  view.setUint32(12, session.hashResultLength, true);
  view.setUint32(16, authKey.length, true);
  view.setUint32(20, session.aadLength, true);
  body.set([session.operation, session.direction, session.hashMode, session.chainOrder], 24);
  writeKey(body, CIPHER_KEY, cipherKey);
  writeKey(body, AUTH_KEY, authKey);
}

function readAsymmetric(body: Uint8Array): AsymmetricSession {
  const view = viewOf(body);
  return {
    kind: "asymmetric",
    algorithm: view.getUint32(0, true),
    keyType: view.getUint32(4, true),
    key: readKey(body, ASYMMETRIC_KEY, view.getUint32(8, true)),
    padding: view.getUint32(24, true),
    hash: view.getUint32(28, true),
  };
}
function writeAsymmetric(body: Uint8Array, session: AsymmetricSession): void {
  const view = viewOf(body);
  view.setUint32(0, session.algorithm, true);
  view.setUint32(4, session.keyType, true);
  view.setUint32(8, session.key.length, true);
  view.setUint32(24, session.padding, true);
  view.setUint32(28, session.hash, true);
  writeKey(body, ASYMMETRIC_KEY, session.key);
}

interface KeyPlace {
  readonly at: number;
  readonly most: number;
}

function readKey(body: Uint8Array, place: KeyPlace, length: number): Uint8Array {
  checkKey(place, length);
  return body.slice(place.at, place.at + length);
}
function writeKey(body: Uint8Array, place: KeyPlace, key: Uint8Array): void {
  checkKey(place, key.length);
  body.set(key, place.at);
}
function checkKey({ most }: KeyPlace, length: number): void {
  if (length > most) throw new VhostUserError("crypto-session", `a key of ${length} bytes, the most are ${most}`);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
