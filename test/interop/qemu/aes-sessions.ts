import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { expect } from "vitest";
import { CryptoCipher, CryptoDataFlags, type CryptoDriver } from "../../../generated/crypto.js";

const BLOCK = 16;
const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >>> 4)) & 255);

/** Sessions of AES-CBC on a device, and what they answer. */
function sessions(driver: CryptoDriver) {
  const algo = CryptoCipher.AES_CBC;
  return {
    async open(op: "ENCRYPT" | "DECRYPT", key: Uint8Array): Promise<{ status: unknown; sessionId: bigint }> {
      const { opOutcome } = await driver.controlq.submit({
        opcode: "CIPHER_CREATE_SESSION",
        opType: "CIPHER",
        algo,
        opFlf: { cipher: { algo: "AES_CBC", keyLen: key.length, op } },
        opVlf: { cipherKey: key },
      });
      return opOutcome;
    },
    async close(sessionId: bigint): Promise<unknown> {
      const { opOutcome } = await driver.controlq.submit({
        opcode: "CIPHER_DESTROY_SESSION",
        algo,
        opFlf: { sessionId },
      });
      return opOutcome.status;
    },
    async run(opcode: "CIPHER_ENCRYPT" | "CIPHER_DECRYPT", sessionId: bigint, iv: Uint8Array, srcData: Uint8Array) {
      const { status, dstData } = await driver.dataq.submit({
        variant: "Cipher",
        opcode,
        opType: "CIPHER",
        algo,
        sessionId,
        flag: CryptoDataFlags.SESSION_MODE,
        opTypeFlf: { cipher: { ivLen: iv.length, srcDataLen: srcData.length, dstDataLen: srcData.length } },
        iv,
        srcData,
      });
      return { status, data: Buffer.from(dstData) };
    },
  };
}

/**
 * AES-CBC in sessions, with keys of so many bytes: requests side by side, as node:crypto has them, and what a device refuses.
 * All sessions are closed at the end.
 */
export async function exerciseAes(driver: CryptoDriver, length: number): Promise<void> {
  expect(driver.config.status & 1).toBe(1);
  expect((driver.config.cipherAlgoL ?? 0) & (1 << CryptoCipher.AES_CBC)).not.toBe(0);
  const aes = sessions(driver);
  const key = bytes(length, 3);
  const [encrypt, decrypt] = [await aes.open("ENCRYPT", key), await aes.open("DECRYPT", key)];
  expect([encrypt.status, decrypt.status]).toEqual(["OK", "OK"]);
  expect(encrypt.sessionId).not.toBe(decrypt.sessionId);

  // Many at a time, of different lengths.
  await Promise.all(
    [1, 2, 3, 16, 255, 4096].map(async (blocks, seed) => {
      const [iv, plain] = [bytes(BLOCK, seed), bytes(blocks * BLOCK, seed + 40)];
      const cipher = createCipheriv(`aes-${String(8 * length)}-cbc`, key, iv).setAutoPadding(false);
      const expected = Buffer.concat([cipher.update(plain), cipher.final()]);
      const encrypted = await aes.run("CIPHER_ENCRYPT", encrypt.sessionId, iv, plain);
      expect(encrypted.status).toBe("OK");
      expect(encrypted.data.equals(expected)).toBe(true);
      const decipher = createDecipheriv(`aes-${String(8 * length)}-cbc`, key, iv).setAutoPadding(false);
      expect(Buffer.concat([decipher.update(encrypted.data), decipher.final()]).equals(plain)).toBe(true);
      const decrypted = await aes.run("CIPHER_DECRYPT", decrypt.sessionId, iv, expected);
      expect([decrypted.status, decrypted.data.equals(plain)]).toEqual(["OK", true]);
    }),
  );

  // What it cannot do.
  expect((await aes.open("ENCRYPT", bytes(5, 1))).status).not.toBe("OK");
  expect((await aes.run("CIPHER_ENCRYPT", 0xffffn, bytes(BLOCK, 1), bytes(BLOCK, 2))).status).not.toBe("OK");
  expect([await aes.close(encrypt.sessionId), await aes.close(decrypt.sessionId)]).toEqual(["OK", "OK"]);
  expect((await aes.run("CIPHER_ENCRYPT", encrypt.sessionId, bytes(BLOCK, 1), bytes(BLOCK, 2))).status).not.toBe("OK");
}

/**
 * AES-CBC whose result has a digest, in one session: a MAC with a key of its own, or a hash. Over parts of the data, with more
 * data beside it. The session is closed at the end.
 */
export async function exerciseChain(driver: CryptoDriver, hashMode: "AUTH" | "PLAIN"): Promise<void> {
  const [key, authKey, iv, aad, plain] = [bytes(24, 1), bytes(20, 2), bytes(BLOCK, 3), bytes(13, 4), bytes(96, 5)];
  const isKeyed = hashMode === "AUTH";
  const { opOutcome } = await driver.controlq.submit({
    opcode: "CIPHER_CREATE_SESSION",
    opType: "ALGORITHM_CHAINING",
    opFlf: {
      chain: {
        algChainOrder: "CIPHER_THEN_HASH",
        hashMode,
        cipherHdr: { algo: "AES_CBC", keyLen: key.length, op: "ENCRYPT" },
        algoFlf: isKeyed
          ? { kind: "AUTH", mac: { algo: "HMAC_SHA_256", hashResultLen: 32, authKeyLen: authKey.length } }
          : { kind: "PLAIN", hash: { algo: "SHA_256", hashResultLen: 32 } },
        aadLen: aad.length,
      },
    },
    opVlf: { cipherKey: key, authKey: isKeyed ? authKey : new Uint8Array(0) },
  });
  const { sessionId } = opOutcome;
  expect(opOutcome.status).toBe("OK");
  const reply = await driver.dataq.submit({
    variant: "Chain",
    opcode: "CIPHER_ENCRYPT",
    opType: "ALGORITHM_CHAINING",
    sessionId,
    flag: CryptoDataFlags.SESSION_MODE,
    opTypeFlf: {
      chain: {
        ivLen: BLOCK,
        srcDataLen: plain.length,
        dstDataLen: plain.length,
        cipherStartSrcOffset: 16,
        lenToCipher: 64,
        hashStartSrcOffset: 8,
        lenToHash: 80,
        aadLen: aad.length,
        hashResultLen: 32,
      },
    },
    iv,
    srcData: plain,
    aad,
  });
  const cipher = createCipheriv("aes-192-cbc", key, iv).setAutoPadding(false);
  const expected = Buffer.from(plain);
  cipher.update(plain.subarray(16, 80)).copy(expected, 16);
  const digest = isKeyed ? createHmac("sha256", authKey) : createHash("sha256");
  expect(reply.status).toBe("OK");
  expect(expected.equals(reply.dstData)).toBe(true);
  expect(digest.update(aad).update(expected.subarray(8, 88)).digest().equals(reply.hashResult)).toBe(true);
  const end = await driver.controlq.submit({ opcode: "CIPHER_DESTROY_SESSION", opFlf: { sessionId } });
  expect(end.opOutcome.status).toBe("OK");
}
