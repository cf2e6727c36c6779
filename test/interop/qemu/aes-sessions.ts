import { createCipheriv, createDecipheriv } from "node:crypto";
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
