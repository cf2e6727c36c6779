import { describe, expect, it } from "vitest";
import {
  decodeCreateRequest,
  decodeDestroyRequest,
  encodeCreateRequest,
  encodeDestroyRequest,
  opcodeOf,
  type CryptoSession,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";

const cipher: CryptoSession = {
  kind: "symmetric",
  cipher: 4,
  hash: 0,
  hashResultLength: 0,
  aadLength: 0,
  operation: 1,
  direction: 2,
  hashMode: 0,
  chainOrder: 0,
  cipherKey: Uint8Array.of(1, 2, 3),
  authKey: new Uint8Array(0),
};
const mac: CryptoSession = {
  ...cipher,
  hash: 3,
  hashResultLength: 28,
  aadLength: 12,
  operation: 2,
  hashMode: 2,
  chainOrder: 1,
  authKey: Uint8Array.of(4, 5),
};
const hash: CryptoSession = { ...mac, hashMode: 1, authKey: new Uint8Array(0) };
const rsa: CryptoSession = {
  kind: "asymmetric",
  algorithm: 1,
  keyType: 2,
  padding: 1,
  hash: 6,
  key: new Uint8Array(600).fill(9),
};

describe("control requests of a crypto device", () => {
  it.each([
    ["a cipher", cipher, 72 + 3, 0x0002],
    ["a cipher and a MAC", mac, 72 + 5, 0x0002],
    ["a cipher and a hash", hash, 72 + 3, 0x0002],
    ["an asymmetric cipher", rsa, 72 + 600, 0x0404],
  ] as const)("%s: what is made of it says the same", (_, session, length, opcode) => {
    const request = encodeCreateRequest(session);
    expect([request.length, opcodeOf(request)]).toEqual([length, opcode]);
    expect(decodeCreateRequest(request)).toEqual(session);
    // Cut anywhere, it asks for nothing.
    for (let end = 0; end < length; end++) expect(decodeCreateRequest(request.slice(0, end))).toBeUndefined();
  });

  it("lengths of keys are not believed", () => {
    for (const at of [16 + 12, 16 + 32]) {
      const request = encodeCreateRequest(mac);
      new DataView(request.buffer).setUint32(at, 0xffff_fffe, true);
      expect(decodeCreateRequest(request)).toBeUndefined();
    }
  });

  it("a session ends in 24 bytes, or 72 without REVISION_1", () => {
    const id = 0xfedc_ba98_7654_3210n;
    for (const [isAsymmetric, isLong, length, opcode] of [
      [false, false, 24, 3],
      [true, true, 72, 0x405],
    ] as const) {
      const request = encodeDestroyRequest(id, isAsymmetric, isLong);
      expect([request.length, opcodeOf(request), decodeDestroyRequest(request)]).toEqual([length, opcode, id]);
      expect(decodeDestroyRequest(request.slice(0, 23))).toBeUndefined();
    }
    expect(opcodeOf(new Uint8Array(15))).toBeUndefined();
  });
});
