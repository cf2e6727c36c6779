import { describe, expect, it } from "vitest";
import {
  decodePayload,
  encodePayload,
  VhostUserError,
  type AsymmetricSession,
  type CryptoSessionMessage,
  type SymmetricSession,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";

const cipher: SymmetricSession = {
  kind: "symmetric",
  cipher: 3,
  hash: 2,
  hashResultLength: 20,
  aadLength: 9,
  operation: 2,
  direction: 1,
  hashMode: 2,
  chainOrder: 2,
  cipherKey: new Uint8Array(64).fill(0xc1),
  authKey: new Uint8Array(512).fill(0xa2),
};
const rsa: AsymmetricSession = {
  kind: "asymmetric",
  algorithm: 1,
  keyType: 2,
  padding: 1,
  hash: 6,
  key: new Uint8Array(1024).fill(0x5a),
};

const decode = (payload: Uint8Array): CryptoSessionMessage =>
  decodePayload("cryptoSession", { name: "CREATE_CRYPTO_SESSION", isReply: false, needReply: false, payload, fds: [] });
const ruleOf = (payload: Uint8Array): string => {
  try {
    decode(payload);
  } catch (error) {
    return error instanceof VhostUserError ? error.rule : String(error);
  }
  return "accepted";
};
/** A message with another number at a place. */
function changed(message: CryptoSessionMessage, at: number, number: number): Uint8Array {
  const bytes = encodePayload("cryptoSession", message);
  new DataView(bytes.buffer).setUint32(at, number, true);
  return bytes;
}

const symmetric: CryptoSessionMessage = { layout: "symmetric", id: -1n, session: cipher };
const tagged: CryptoSessionMessage = { layout: "tagged", id: 7n, session: cipher };
const asymmetric: CryptoSessionMessage = { layout: "tagged", id: 0x7fff_ffff_ffff_ffffn, session: rsa };

describe("CREATE_CRYPTO_SESSION", () => {
  it.each([
    ["of QEMU 7.2", symmetric, 632],
    ["of a cipher, as later ones have it", tagged, 1072],
    ["of an asymmetric cipher", asymmetric, 1072],
  ] as const)("%s is what it was", (_, message, size) => {
    const bytes = encodePayload("cryptoSession", message);
    expect(bytes).toHaveLength(size);
    expect(decode(bytes)).toEqual(message);
  });

  it("has its numbers where the front end's C structures have them", () => {
    const bytes = encodePayload("cryptoSession", symmetric);
    const view = new DataView(bytes.buffer);
    // The number, and then six 32-bit words, four bytes, and after two pointers the keys.
    expect(view.getBigInt64(0, true)).toBe(-1n);
    expect([8, 12, 16, 20, 24, 28].map((at) => view.getUint32(at, true))).toEqual([3, 64, 2, 20, 512, 9]);
    expect([...bytes.subarray(32, 36)]).toEqual([2, 1, 2, 2]);
    expect([bytes[55], bytes[56], bytes[119], bytes[120], bytes[631]]).toEqual([0, 0xc1, 0xc1, 0xa2, 0xa2]);
    const later = new DataView(encodePayload("cryptoSession", asymmetric).buffer);
    expect([0, 8, 12, 16, 32, 36].map((at) => later.getUint32(at, true))).toEqual([0x404, 1, 2, 1024, 1, 6]);
    expect(later.getBigInt64(1064, true)).toBe(0x7fff_ffff_ffff_ffffn);
  });

  it.each([
    ["no bytes", new Uint8Array(0), "payload-size"],
    ["a byte less", encodePayload("cryptoSession", symmetric).subarray(1), "payload-size"],
    ["a byte more", new Uint8Array(633), "payload-size"],
    ["bytes between the layouts", new Uint8Array(1000), "payload-size"],
    ["a cipher key of 65 bytes", changed(symmetric, 12, 65), "crypto-session"],
    ["a cipher key of 2^32 - 1 bytes", changed(tagged, 12, 0xffff_ffff), "crypto-session"],
    ["a key of 513 bytes for the MAC", changed(symmetric, 24, 513), "crypto-session"],
    ["an asymmetric key of 1,025 bytes", changed(asymmetric, 16, 1025), "crypto-session"],
    ["an operation that makes no such session", changed(tagged, 0, 0x102), "crypto-session"],
    ["an operation with more than its 32 bits", changed(tagged, 4, 1), "crypto-session"],
  ] as const)("%s: refused", (_, bytes, rule) => {
    expect(ruleOf(bytes)).toBe(rule);
  });

  it("is not made of what does not fit", () => {
    for (const session of [
      { ...cipher, cipherKey: new Uint8Array(65) },
      { ...cipher, authKey: new Uint8Array(513) },
    ]) {
      expect(() => encodePayload("cryptoSession", { ...symmetric, session })).toThrow("crypto-session");
    }
    expect(() => encodePayload("cryptoSession", { ...symmetric, session: rsa })).toThrow("no place in this layout");
  });
});
