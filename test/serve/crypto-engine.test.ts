import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  CryptoCipher,
  CryptoDataFlags,
  CryptoDriver,
  CryptoHashAlgorithm,
  CryptoMac,
  type CryptoCipherOperation,
} from "../../generated/crypto.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { openCryptoEngine } from "../../src/serve/crypto/crypto-engine.js";

const TEXT = Buffer.from("two blocks of text, 32 bytes all");
const IV = Buffer.alloc(16, 7);
const none = new Uint8Array(0);
const session = { flag: CryptoDataFlags.SESSION_MODE } as const;

/** An engine and its driver, and what went wrong. */
async function start(features: readonly "REVISION_1"[] = ["REVISION_1"]) {
  const errors: string[] = [];
  const engine = openCryptoEngine({ onError: (error) => void errors.push(error.message) });
  const driver = await CryptoDriver.start(loopback(engine.device), { features });
  onTestFinished(async () => {
    await driver.stop();
    await engine.close();
  });

  const open = async (algo: CryptoCipher, key: Uint8Array, op: CryptoCipherOperation) => {
    const { opOutcome } = await driver.controlq.submit({
      opcode: "CIPHER_CREATE_SESSION",
      opType: "CIPHER",
      opFlf: { cipher: { algo, keyLen: key.length, op } },
      opVlf: { cipherKey: key },
    });
    return opOutcome;
  };
  const run = (sessionId: bigint, iv: Uint8Array, srcData: Uint8Array, dstDataLen = srcData.length) =>
    driver.dataq.submit({
      ...session,
      variant: "Cipher",
      opcode: "CIPHER_ENCRYPT",
      opType: "CIPHER",
      sessionId,
      opTypeFlf: { cipher: { ivLen: iv.length, srcDataLen: srcData.length, dstDataLen } },
      iv,
      srcData,
    });
  return { engine, driver, errors, open, run };
}

const modes = [
  { algo: "AES_ECB", mode: "ecb", iv: none, length: 64 },
  { algo: "AES_CBC", mode: "cbc", iv: IV, length: 4096 },
  { algo: "AES_CTR", mode: "ctr", iv: IV, length: 61 },
] as const;

describe.each([16, 24, 32])("with a key of %d bytes", (keyLength) => {
  test.each(modes)("$algo encrypts as node:crypto does, and decrypts", async ({ algo, mode, iv, length }) => {
    const { engine, open, run, errors } = await start();
    const key = randomBytes(keyLength);
    const plain = randomBytes(length);
    const cipher = createCipheriv(`aes-${8 * keyLength}-${mode}`, key, iv.length === 0 ? null : iv);
    cipher.setAutoPadding(false);
    const expected = Buffer.concat([cipher.update(plain), cipher.final()]);
    const [encrypt, decrypt] = [await open(algo, key, "ENCRYPT"), await open(algo, key, "DECRYPT")];
    expect([encrypt.status, decrypt.status, engine.sessions, engine.opened]).toEqual(["OK", "OK", 2, 2]);
    const sent = await run(encrypt.sessionId, iv, plain);
    expect([sent.status, expected.equals(sent.dstData)]).toEqual(["OK", true]);
    const back = await run(decrypt.sessionId, iv, sent.dstData);
    expect([back.status, plain.equals(back.dstData)]).toEqual(["OK", true]);
    expect([engine.served, errors]).toEqual([2, []]);
  });
});

test("a key is the session's own: what becomes of the request's memory does not matter", async () => {
  const { open, run } = await start();
  const key = randomBytes(16);
  const one = await open("AES_CBC", key, "ENCRYPT");
  for (let more = 0; more < 300; more++) await open("AES_CBC", randomBytes(16), "ENCRYPT");
  const cipher = createCipheriv("aes-128-cbc", key, IV).setAutoPadding(false);
  expect(cipher.update(TEXT).equals((await run(one.sessionId, IV, TEXT)).dstData)).toBe(true);
});

test.each([
  ["MD5", "md5", 16],
  ["SHA1", "sha1", 20],
  ["SHA_224", "sha224", 28],
  ["SHA_256", "sha256", 32],
  ["SHA_384", "sha384", 48],
  ["SHA_512", "sha512", 64],
  ["SHA3_224", "sha3-224", 28],
  ["SHA3_256", "sha3-256", 32],
  ["SHA3_384", "sha3-384", 48],
  ["SHA3_512", "sha3-512", 64],
] as const)("hash %s", async (algo, name, length) => {
  const { driver, errors } = await start();
  expect((driver.config.hashAlgo ?? 0) & (1 << CryptoHashAlgorithm[algo])).not.toBe(0);
  const { opOutcome } = await driver.controlq.submit({
    opcode: "HASH_CREATE_SESSION",
    opFlf: { algo, hashResultLen: length },
  });
  expect(opOutcome.status).toBe("OK");
  const { hashResult, status } = await driver.dataq.submit({
    ...session,
    variant: "Hash",
    opcode: "HASH",
    sessionId: opOutcome.sessionId,
    opFlf: { srcDataLen: TEXT.length, hashResultLen: length },
    srcData: TEXT,
  });
  expect([status, createHash(name).update(TEXT).digest().equals(hashResult), errors]).toEqual(["OK", true, []]);
});

test.each([
  ["HMAC_MD5", "md5", 16],
  ["HMAC_SHA1", "sha1", 20],
  ["HMAC_SHA_224", "sha224", 28],
  ["HMAC_SHA_256", "sha256", 32],
  ["HMAC_SHA_384", "sha384", 48],
  ["HMAC_SHA_512", "sha512", 64],
] as const)("%s", async (algo, name, length) => {
  const { driver, errors } = await start();
  expect((driver.config.macAlgoL ?? 0) & (1 << CryptoMac[algo])).not.toBe(0);
  const authKey = randomBytes(33);
  const { opOutcome } = await driver.controlq.submit({
    opcode: "MAC_CREATE_SESSION",
    opFlf: { algo, hashResultLen: length, authKeyLen: authKey.length },
    opVlf: { authKey },
  });
  expect(opOutcome.status).toBe("OK");
  const { hashResult, status } = await driver.dataq.submit({
    ...session,
    variant: "Mac",
    opcode: "MAC",
    sessionId: opOutcome.sessionId,
    opFlf: { hdr: { srcDataLen: TEXT.length, hashResultLen: length } },
    srcData: TEXT,
  });
  const expected = createHmac(name, authKey).update(TEXT).digest();
  expect([status, expected.equals(hashResult), errors]).toEqual(["OK", true, []]);
});

describe.each(["CIPHER_THEN_HASH", "HASH_THEN_CIPHER"] as const)("a chain, %s", (algChainOrder) => {
  test.each(["PLAIN", "AUTH"] as const)("with a digest that is %s", async (hashMode) => {
    const { driver, errors } = await start();
    const [key, authKey, aad] = [randomBytes(16), randomBytes(20), Buffer.from("beside")];
    const { opOutcome } = await driver.controlq.submit({
      opcode: "CIPHER_CREATE_SESSION",
      opType: "ALGORITHM_CHAINING",
      opFlf: {
        chain: {
          algChainOrder,
          hashMode,
          cipherHdr: { algo: "AES_CBC", keyLen: key.length, op: "ENCRYPT" },
          algoFlf:
            hashMode === "PLAIN"
              ? { kind: "PLAIN", hash: { algo: "SHA1", hashResultLen: 20 } }
              : { kind: "AUTH", mac: { algo: "HMAC_SHA1", hashResultLen: 20, authKeyLen: authKey.length } },
          aadLen: aad.length,
        },
      },
      opVlf: { cipherKey: key, authKey: hashMode === "PLAIN" ? none : authKey },
    });
    expect(opOutcome.status).toBe("OK");
    const run = (cipherStartSrcOffset: number, hashStartSrcOffset: number, lenToHash: number) =>
      driver.dataq.submit({
        ...session,
        variant: "Chain",
        opcode: "CIPHER_ENCRYPT",
        opType: "ALGORITHM_CHAINING",
        sessionId: opOutcome.sessionId,
        opTypeFlf: {
          chain: {
            ivLen: 16,
            srcDataLen: TEXT.length,
            dstDataLen: TEXT.length,
            cipherStartSrcOffset,
            lenToCipher: 16,
            hashStartSrcOffset,
            lenToHash,
            aadLen: aad.length,
            hashResultLen: 20,
          },
        },
        iv: IV,
        srcData: TEXT,
        aad,
      });
    const reply = await run(16, 8, 20);
    const cipher = createCipheriv("aes-128-cbc", key, IV).setAutoPadding(false);
    const ciphered = Buffer.concat([TEXT.subarray(0, 16), cipher.update(TEXT.subarray(16))]);
    const digested = (algChainOrder === "CIPHER_THEN_HASH" ? ciphered : TEXT).subarray(8, 28);
    const digest = hashMode === "PLAIN" ? createHash("sha1") : createHmac("sha1", authKey);
    expect(reply.status).toBe("OK");
    expect(ciphered.equals(reply.dstData)).toBe(true);
    expect(digest.update(aad).update(digested).digest().equals(reply.hashResult)).toBe(true);
    // Parts that are not in the data.
    for (const [at, from, length] of [
      [17, 0, 32],
      [0xffff_fff0, 0, 32],
      [0, 1, 32],
      [0, 0xffff_ffff, 0xffff_ffff],
    ] as const) {
      expect((await run(at, from, length)).status).toBe("ERR");
    }
    expect(errors).toEqual([]);
  });
});

test("what it cannot do, it says", async () => {
  const { driver, engine, open, run, errors } = await start();
  expect((await open("AES_CBC", randomBytes(15), "ENCRYPT")).status).toBe("ERR");
  expect((await open("AES_XTS", randomBytes(32), "ENCRYPT")).status).toBe("NOTSUPP");
  const aead = { algo: "GCM", keyLen: 16, tagLen: 16, aadLen: 0, op: "ENCRYPT" } as const;
  const gcm = await driver.controlq.submit({
    opcode: "AEAD_CREATE_SESSION",
    opFlf: aead,
    opVlf: { key: randomBytes(16) },
  });
  expect(gcm.opOutcome.status).toBe("NOTSUPP");
  expect(engine.sessions).toBe(0);
  const { sessionId } = await open("AES_CBC", randomBytes(16), "ENCRYPT");
  expect((await run(sessionId, IV.subarray(1), TEXT)).status).toBe("ERR");
  expect((await run(sessionId, IV, TEXT.subarray(1))).status).toBe("ERR");
  expect((await run(sessionId, IV, TEXT, 16)).status).toBe("ERR");
  expect((await run(sessionId + 1n, IV, TEXT)).status).toBe("INVSESS");
  const close = () => driver.controlq.submit({ opcode: "CIPHER_DESTROY_SESSION", opFlf: { sessionId } });
  expect([(await close()).opOutcome, (await close()).opOutcome]).toEqual([{ status: "OK" }, { status: "INVSESS" }]);
  expect((await run(sessionId, IV, TEXT)).status).toBe("INVSESS");
  expect(errors).toEqual([]);
});

test("sessions are bounded, and end with a reset", async () => {
  const engine = openCryptoEngine();
  const transport = loopback(engine.device);
  const driver = await CryptoDriver.start(transport);
  const algo = CryptoCipher.AES_CBC;
  const create = () =>
    driver.controlq.submit({
      opcode: "CIPHER_CREATE_SESSION",
      opType: "CIPHER",
      algo,
      opFlf: { cipher: { algo: "AES_CBC", keyLen: 16, op: "ENCRYPT" } },
      opVlf: { cipherKey: IV },
    });
  for (let count = 0; count < 4096; count++) expect((await create()).opOutcome.status).toBe("OK");
  expect((await create()).opOutcome.status).toBe("NOSPC");
  expect(engine.sessions).toBe(4096);
  await driver.stop();
  expect(engine.sessions).toBe(0);
});
