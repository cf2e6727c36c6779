import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import {
  CryptoDataFlags,
  CryptoDevice,
  CryptoDriver,
  CryptoService,
  type CryptoControl,
  type CryptoData,
  type CryptoFeature,
} from "../../generated/crypto.js";
import type { ReadableBytes } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const KEY = Uint8Array.from({ length: 16 }, (_, index) => index);
const MAC_KEY = Uint8Array.from({ length: 20 }, (_, index) => 0xa0 + index);
const IV = new Uint8Array(16).fill(7);
const TEXT = new TextEncoder().encode("two blocks of text, 32 bytes all");
const AAD = Uint8Array.of(1, 2, 3);
const SESSION_MODE = { flag: CryptoDataFlags.SESSION_MODE };

type Session =
  | { readonly service: "cipher"; readonly key: Uint8Array; readonly decrypts: boolean; readonly macKey?: Uint8Array }
  | { readonly service: "aead"; readonly key: Uint8Array; readonly decrypts: boolean }
  | { readonly service: "hash" };

function bytesOf(part: ReadableBytes): Uint8Array {
  const bytes = new Uint8Array(part.length);
  part.read(bytes);
  return bytes;
}

const cbc = (session: { key: Uint8Array; decrypts: boolean }, iv: Uint8Array, data: Uint8Array): Uint8Array => {
  const cipher = session.decrypts
    ? createDecipheriv("aes-128-cbc", session.key, iv)
    : createCipheriv("aes-128-cbc", session.key, iv);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(data), cipher.final()]);
};

/** A device that does the work with node:crypto. */
function cryptoDevice(features: readonly CryptoFeature[]) {
  const sessions = new Map<bigint, Session>();
  let last = 0n;
  const created = (session: Session) => {
    sessions.set(++last, session);
    return { opOutcome: { sessionId: last, status: "OK" } } as const;
  };
  const refused = { opOutcome: { sessionId: 0n, status: "NOTSUPP" } } as const;

  function control(request: CryptoControl) {
    switch (request.opcode) {
      case "CIPHER_CREATE_SESSION":
        switch (request.opType) {
          case "CIPHER": {
            const { algo, op } = request.opFlf.cipher;
            if (algo !== "AES_CBC") return request.complete(refused);
            const { cipherKey } = request.opVlf;
            return request.complete(created({ service: "cipher", key: cipherKey, decrypts: op === "DECRYPT" }));
          }
          case "ALGORITHM_CHAINING": {
            const { chain } = request.opFlf;
            const { cipherKey, authKey } = request.opVlf;
            const decrypts = chain.cipherHdr.op === "DECRYPT";
            if (chain.algoFlf?.kind !== "AUTH") return request.complete(refused);
            return request.complete(created({ service: "cipher", key: cipherKey, macKey: authKey, decrypts }));
          }
          default:
            return request.complete(refused);
        }
      case "HASH_CREATE_SESSION":
        return request.complete(request.opFlf.algo === "SHA_256" ? created({ service: "hash" }) : refused);
      case "AEAD_CREATE_SESSION": {
        const { key } = request.opVlf;
        return request.complete(created({ service: "aead", key, decrypts: request.opFlf.op === "DECRYPT" }));
      }
      case "CIPHER_DESTROY_SESSION":
      case "HASH_DESTROY_SESSION":
      case "MAC_DESTROY_SESSION":
      case "AEAD_DESTROY_SESSION":
      case "AKCIPHER_DESTROY_SESSION": {
        const known = sessions.delete(request.opFlf.sessionId);
        return request.complete({ opOutcome: { status: known ? "OK" : "INVSESS" } });
      }
      case "MAC_CREATE_SESSION":
      case "AKCIPHER_CREATE_SESSION":
        return request.complete(refused);
      default:
        return request.complete();
    }
  }

  function data(request: CryptoData) {
    const session = sessions.get(request.sessionId);
    switch (request.variant) {
      case "Cipher":
        if (session?.service !== "cipher") return request.complete("INVSESS");
        request.dstData.write(cbc(session, bytesOf(request.iv), bytesOf(request.srcData)));
        return request.complete("OK");
      case "Chain": {
        if (session?.service !== "cipher" || session.macKey === undefined) return request.complete("INVSESS");
        const done = cbc(session, bytesOf(request.iv), bytesOf(request.srcData));
        request.dstData.write(done);
        const mac = createHmac("sha1", session.macKey).update(bytesOf(request.aad)).update(done).digest();
        request.hashResult.write(mac);
        return request.complete("OK");
      }
      case "Hash":
        if (session?.service !== "hash") return request.complete("INVSESS");
        request.hashResult.write(createHash("sha256").update(bytesOf(request.srcData)).digest());
        return request.complete("OK");
      case "Aead": {
        if (session?.service !== "aead") return request.complete("INVSESS");
        const { tagLen } = request.opFlf;
        const [iv, source] = [bytesOf(request.iv), bytesOf(request.srcData)];
        if (session.decrypts) {
          const cipher = createDecipheriv("aes-128-gcm", session.key, iv, { authTagLength: tagLen });
          cipher.setAAD(bytesOf(request.aad));
          cipher.setAuthTag(source.subarray(source.length - tagLen));
          const text = cipher.update(source.subarray(0, source.length - tagLen));
          try {
            cipher.final();
          } catch {
            return request.complete("BADMSG");
          }
          request.dstData.write(text);
          return request.complete("OK");
        }
        const cipher = createCipheriv("aes-128-gcm", session.key, iv, { authTagLength: tagLen });
        cipher.setAAD(bytesOf(request.aad));
        request.dstData.write(Buffer.concat([cipher.update(source), cipher.final(), cipher.getAuthTag()]));
        return request.complete("OK");
      }
      case "StatelessHash":
        if (request.opFlf.sessPara.algo !== "SHA_256") return request.complete("NOTSUPP");
        request.hashResult.write(createHash("sha256").update(bytesOf(request.srcData)).digest());
        return request.complete("OK");
      case "StatelessCipher": {
        const { op } = request.opTypeFlf.cipher.sessPara;
        const key = bytesOf(request.cipherKey);
        request.dstData.write(cbc({ key, decrypts: op === "DECRYPT" }, bytesOf(request.iv), bytesOf(request.srcData)));
        return request.complete("OK");
      }
      default:
        return request.complete("NOTSUPP");
    }
  }

  const services = [CryptoService.CIPHER, CryptoService.HASH, CryptoService.AEAD];
  const device = new CryptoDevice({
    features,
    config: {
      status: 1,
      maxDataqueues: 1,
      cryptoServices: services.reduce<number>((all, bit) => all | (1 << bit), 0),
      cipherAlgoL: 1 << 3,
      cipherAlgoH: 0,
      hashAlgo: 1 << 4,
      aeadAlgo: 1 << 1,
      maxCipherKeyLen: 32,
      maxSize: 65536n,
    },
    dataq: data,
    controlq: control,
  });
  return { device, sessions };
}

async function start(features: readonly CryptoFeature[]) {
  const { device, sessions } = cryptoDevice(features);
  return { sessions, driver: await CryptoDriver.start(loopback(device), { features }) };
}

async function cipherSession(driver: CryptoDriver, op: "ENCRYPT" | "DECRYPT"): Promise<bigint> {
  const { opOutcome } = await driver.controlq.submit({
    opcode: "CIPHER_CREATE_SESSION",
    opType: "CIPHER",
    opFlf: { cipher: { algo: "AES_CBC", keyLen: KEY.length, op } },
    opVlf: { cipherKey: KEY },
  });
  expect(opOutcome.status).toBe("OK");
  return opOutcome.sessionId;
}

const cipherLengths = { ivLen: 16, srcDataLen: TEXT.length, dstDataLen: TEXT.length };

// Without REVISION_1 the parameters are filled up to the longest ones.
test.each([{ features: [] }, { features: ["REVISION_1"] }] as const)(
  "with $features, a cipher session encrypts, another one decrypts, and both end",
  async ({ features }) => {
    const { driver, sessions } = await start(features);
    const common = { variant: "Cipher", opType: "CIPHER", ...SESSION_MODE, iv: IV } as const;
    const sent = await driver.dataq.submit({
      ...common,
      opcode: "CIPHER_ENCRYPT",
      sessionId: await cipherSession(driver, "ENCRYPT"),
      opTypeFlf: { cipher: cipherLengths },
      srcData: TEXT,
    });
    expect(sent.status).toBe("OK");
    expect(Buffer.from(sent.dstData)).toEqual(cbc({ key: KEY, decrypts: false }, IV, TEXT));
    const back = await driver.dataq.submit({
      ...common,
      opcode: "CIPHER_DECRYPT",
      sessionId: await cipherSession(driver, "DECRYPT"),
      opTypeFlf: { cipher: cipherLengths },
      srcData: sent.dstData,
    });
    expect(new Uint8Array(back.dstData)).toEqual(TEXT);
    for (const [sessionId, status] of [[1n, "OK"], [2n, "OK"], [2n, "INVSESS"]] as const) {
      const reply = await driver.controlq.submit({ opcode: "CIPHER_DESTROY_SESSION", opFlf: { sessionId } });
      expect(reply).toEqual({ opOutcome: { status } });
    }
    expect(sessions.size).toBe(0);
    await driver.stop();
  },
);

test("a chain has the keys of its cipher and of its MAC, and two results", async () => {
  const { driver } = await start(["REVISION_1"]);
  const { opOutcome } = await driver.controlq.submit({
    opcode: "CIPHER_CREATE_SESSION",
    opType: "ALGORITHM_CHAINING",
    opFlf: {
      chain: {
        algChainOrder: "CIPHER_THEN_HASH",
        hashMode: "AUTH",
        cipherHdr: { algo: "AES_CBC", keyLen: KEY.length, op: "ENCRYPT" },
        algoFlf: { kind: "AUTH", mac: { algo: "HMAC_SHA1", hashResultLen: 20, authKeyLen: MAC_KEY.length } },
        aadLen: AAD.length,
      },
    },
    opVlf: { cipherKey: KEY, authKey: MAC_KEY },
  });
  expect(opOutcome.status).toBe("OK");
  const chain = {
    ...cipherLengths,
    cipherStartSrcOffset: 0,
    lenToCipher: TEXT.length,
    hashStartSrcOffset: 0,
    lenToHash: TEXT.length,
    aadLen: AAD.length,
    hashResultLen: 20,
  };
  const reply = await driver.dataq.submit({
    variant: "Chain",
    opcode: "CIPHER_ENCRYPT",
    opType: "ALGORITHM_CHAINING",
    sessionId: opOutcome.sessionId,
    ...SESSION_MODE,
    opTypeFlf: { chain },
    iv: IV,
    srcData: TEXT,
    aad: AAD,
  });
  const encrypted = cbc({ key: KEY, decrypts: false }, IV, TEXT);
  expect(reply.status).toBe("OK");
  expect(Buffer.from(reply.dstData)).toEqual(encrypted);
  expect(Buffer.from(reply.hashResult)).toEqual(createHmac("sha1", MAC_KEY).update(AAD).update(encrypted).digest());
  await driver.stop();
});

test("AEAD: what comes back authenticates, and what was changed does not", async () => {
  const { driver } = await start(["REVISION_1"]);
  const session = async (op: "ENCRYPT" | "DECRYPT"): Promise<bigint> => {
    const { opOutcome } = await driver.controlq.submit({
      opcode: "AEAD_CREATE_SESSION",
      opFlf: { algo: "GCM", keyLen: KEY.length, tagLen: 16, aadLen: AAD.length, op },
      opVlf: { key: KEY },
    });
    return opOutcome.sessionId;
  };
  const iv = IV.subarray(0, 12);
  const lengths = { ivLen: iv.length, aadLen: AAD.length, tagLen: 16 };
  const common = { variant: "Aead", ...SESSION_MODE, iv, aad: AAD } as const;
  const sealed = await driver.dataq.submit({
    ...common,
    opcode: "AEAD_ENCRYPT",
    sessionId: await session("ENCRYPT"),
    opFlf: { ...lengths, srcDataLen: TEXT.length, dstDataLen: TEXT.length + 16 },
    srcData: TEXT,
  });
  expect(sealed.status).toBe("OK");
  const sessionId = await session("DECRYPT");
  const open = (srcData: Uint8Array) =>
    driver.dataq.submit({
      ...common,
      opcode: "AEAD_DECRYPT",
      sessionId,
      opFlf: { ...lengths, srcDataLen: srcData.length, dstDataLen: TEXT.length },
      srcData,
    });
  expect(new Uint8Array((await open(sealed.dstData)).dstData)).toEqual(TEXT);
  const forged = sealed.dstData.slice();
  forged[0] = (forged[0] ?? 0) ^ 1;
  expect((await open(forged)).status).toBe("BADMSG");
  await driver.stop();
});

test("the flag tells requests with a session from those without, where that was negotiated", async () => {
  const { driver } = await start(["REVISION_1", "HASH_STATELESS_MODE", "CIPHER_STATELESS_MODE"]);
  const digest = createHash("sha256").update(TEXT).digest();
  const stateless = {
    variant: "StatelessHash",
    opcode: "HASH",
    opFlf: { sessPara: { algo: "SHA_256" }, srcDataLen: TEXT.length, hashResultLen: 32 },
    srcData: TEXT,
  } as const;
  const first = await driver.dataq.submit(stateless);
  expect(Buffer.from(first.hashResult)).toEqual(digest);
  const { opOutcome } = await driver.controlq.submit({
    opcode: "HASH_CREATE_SESSION",
    opFlf: { algo: "SHA_256", hashResultLen: 32 },
  });
  const second = await driver.dataq.submit({
    variant: "Hash",
    opcode: "HASH",
    sessionId: opOutcome.sessionId,
    ...SESSION_MODE,
    opFlf: { srcDataLen: TEXT.length, hashResultLen: 32 },
    srcData: TEXT,
  });
  expect(Buffer.from(second.hashResult)).toEqual(digest);
  const cipher = { ...cipherLengths, sessPara: { algo: "AES_CBC", keyLen: KEY.length, op: "ENCRYPT" } } as const;
  const third = await driver.dataq.submit({
    variant: "StatelessCipher",
    opcode: "CIPHER_ENCRYPT",
    opType: "CIPHER",
    opTypeFlf: { cipher },
    cipherKey: KEY,
    iv: IV,
    srcData: TEXT,
  });
  expect(Buffer.from(third.dstData)).toEqual(cbc({ key: KEY, decrypts: false }, IV, TEXT));
  // A flag that would make it another variant is refused before it is sent.
  await expect(driver.dataq.submit({ ...stateless, ...SESSION_MODE })).rejects.toThrow();
  await driver.stop();
});

test("without the feature there are no requests without a session", async () => {
  const { driver } = await start(["REVISION_1"]);
  const stateless = driver.dataq.submit({
    variant: "StatelessHash",
    opcode: "HASH",
    opFlf: { sessPara: { algo: "SHA_256" }, srcDataLen: TEXT.length, hashResultLen: 32 },
    srcData: TEXT,
  });
  await expect(stateless).rejects.toThrow();
  await driver.stop();
});
