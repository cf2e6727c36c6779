import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import type { CryptoCipher, CryptoCipherOperation, CryptoHashAlgorithm, CryptoMac } from "../../../generated/crypto.js";
import type { ReadableBytes } from "../../runtime/index.js";

const BLOCK = 16;
const KEY_LENGTHS: readonly number[] = [16, 24, 32];

interface CipherMode {
  readonly mode: "ecb" | "cbc" | "ctr";
  readonly ivLength: number;
  /** What the length of the data is a multiple of. */
  readonly step: number;
}

const MODES: Partial<Record<CryptoCipher, CipherMode>> = {
  AES_ECB: { mode: "ecb", ivLength: 0, step: BLOCK },
  AES_CBC: { mode: "cbc", ivLength: BLOCK, step: BLOCK },
  AES_CTR: { mode: "ctr", ivLength: BLOCK, step: 1 },
};

const HASHES: Partial<Record<CryptoHashAlgorithm, string>> = {
  MD5: "md5",
  SHA1: "sha1",
  SHA_224: "sha224",
  SHA_256: "sha256",
  SHA_384: "sha384",
  SHA_512: "sha512",
  SHA3_224: "sha3-224",
  SHA3_256: "sha3-256",
  SHA3_384: "sha3-384",
  SHA3_512: "sha3-512",
};

const MACS: Partial<Record<CryptoMac, string>> = {
  HMAC_MD5: "md5",
  HMAC_SHA1: "sha1",
  HMAC_SHA_224: "sha224",
  HMAC_SHA_256: "sha256",
  HMAC_SHA_384: "sha384",
  HMAC_SHA_512: "sha512",
};

/** What there is, by the names of the definition. */
export const cipherNames = Object.keys(MODES) as readonly CryptoCipher[];
export const hashNames = Object.keys(HASHES) as readonly CryptoHashAlgorithm[];
export const macNames = Object.keys(MACS) as readonly CryptoMac[];

/** Bytes of the longest key that a cipher has. */
export const longestCipherKey = Math.max(...KEY_LENGTHS);

/** Encrypts or decrypts; undefined: the IV or the data do not have a length that goes with the cipher. */
export type Cipher = (iv: ReadableBytes, data: Uint8Array) => Uint8Array | undefined;
/** Of all parts, one after the other. */
export type Digest = (...parts: readonly Uint8Array[]) => Uint8Array;

/**
 * A cipher with its key, in one direction. `NOTSUPP`: there is none of that name; `ERR`: the key does not go with it, or the
 * direction is none.
 */
export function cipherOf(
  name: CryptoCipher | number,
  key: Uint8Array,
  operation: CryptoCipherOperation | number,
): Cipher | "NOTSUPP" | "ERR" {
  const found = typeof name === "string" ? MODES[name] : undefined;
  if (found === undefined) return "NOTSUPP";
  if (!KEY_LENGTHS.includes(key.length) || typeof operation === "number") return "ERR";
  const { mode, ivLength, step } = found;
  const algorithm = `aes-${8 * key.length}-${mode}`;
  // The session outlives the request that the key is a part of.
  const ownKey = key.slice();
  const create = operation === "DECRYPT" ? createDecipheriv : createCipheriv;
  return (iv, data) => {
    if (iv.length !== ivLength || data.length % step !== 0) return undefined;
    const cipher = create(algorithm, ownKey, ivLength === 0 ? null : iv.toUint8Array()).setAutoPadding(false);
    return Buffer.concat([cipher.update(data), cipher.final()]);
  };
}

/** A hash, or `NOTSUPP`. */
export function hashOf(name: CryptoHashAlgorithm | number): Digest | "NOTSUPP" {
  const algorithm = typeof name === "string" ? HASHES[name] : undefined;
  if (algorithm === undefined) return "NOTSUPP";
  return (...parts) => {
    const hash = createHash(algorithm);
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
}

/** A MAC with its key, or `NOTSUPP`. */
export function macOf(name: CryptoMac | number, key: Uint8Array): Digest | "NOTSUPP" {
  const algorithm = typeof name === "string" ? MACS[name] : undefined;
  if (algorithm === undefined) return "NOTSUPP";
  const ownKey = key.slice();
  return (...parts) => {
    const mac = createHmac(algorithm, ownKey);
    for (const part of parts) mac.update(part);
    return mac.digest();
  };
}
