import { createCipheriv, createHmac } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { BLK_DEVICE_ID } from "../../../../../generated/blk.js";
import { CRYPTO_DEVICE_ID, CryptoDataFlags, CryptoDevice, CryptoDriver } from "../../../../../generated/crypto.js";
import {
  connect,
  CryptoMessages,
  type VhostUserDriverTransport,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import { openCryptoEngine } from "../../../../../src/serve/crypto/crypto-engine.js";
import { exerciseAes } from "../../../../interop/qemu/aes-sessions.js";
import { cbc, serveCrypto } from "../crypto-session.js";
import { until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";
import { serveDisk } from "../served-disk.js";

const KEY = Buffer.alloc(16, 5);
const IV = Buffer.alloc(16, 6);
const TEXT = Buffer.alloc(48, 7);

describe.runIf(await requireVhostUser())("crypto sessions by messages, from this side", () => {
  async function between(
    device: CryptoDevice,
    work: (transport: VhostUserDriverTransport, errors: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const { path, told } = await serveCrypto(device);
    const transport = await connect(path, { deviceId: CRYPTO_DEVICE_ID, memorySize: 16 << 20 });
    try {
      await work(transport, told);
    } finally {
      transport.close();
    }
  }

  it.each([
    { features: [], withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
    { features: ["REVISION_1"], withhold: [] },
  ] as const)(
    "a generated driver has its sessions from them, as the control queue is here: $features",
    async (options) => {
      const engine = openCryptoEngine();
      await between(engine.device, async (transport, errors) => {
        // Started twice: a reset leaves nothing behind.
        for (let start = 0; start < 2; start++) {
          const driver = await CryptoDriver.start(new CryptoMessages(transport), options);
          const opened = engine.opened;
          // The driver's ring is not the one that the device has: it holds one request at a time, in memory of its own.
          expect(engine.device.queue(1)?.enabled).toBe(false);
          await exerciseAes(driver, 16);
          expect(engine.device.queue(1)?.addresses?.size).toBe(4);
          expect([engine.opened - opened, engine.sessions]).toEqual([2, 0]);
          await driver.stop();
        }
        expect(errors).toEqual([]);
      });
    },
  );

  it("makes chains, refuses what there is no message for, and says which sessions there are not", async () => {
    const engine = openCryptoEngine();
    await between(engine.device, async (transport, errors) => {
      const driver = await CryptoDriver.start(new CryptoMessages(transport), { features: ["REVISION_1"] });
      const { opOutcome } = await driver.controlq.submit({
        opcode: "CIPHER_CREATE_SESSION",
        opType: "ALGORITHM_CHAINING",
        opFlf: {
          chain: {
            algChainOrder: "CIPHER_THEN_HASH",
            hashMode: "AUTH",
            cipherHdr: { algo: "AES_CBC", keyLen: 16, op: "ENCRYPT" },
            algoFlf: { kind: "AUTH", mac: { algo: "HMAC_SHA_256", hashResultLen: 32, authKeyLen: 20 } },
            aadLen: 0,
          },
        },
        opVlf: { cipherKey: KEY, authKey: Buffer.alloc(20, 8) },
      });
      const chain = { ivLen: 16, srcDataLen: 48, dstDataLen: 48, aadLen: 0, hashResultLen: 32 };
      const part = { cipherStartSrcOffset: 0, lenToCipher: 48, hashStartSrcOffset: 0, lenToHash: 48 };
      const reply = await driver.dataq.submit({
        variant: "Chain",
        opcode: "CIPHER_ENCRYPT",
        opType: "ALGORITHM_CHAINING",
        flag: CryptoDataFlags.SESSION_MODE,
        sessionId: opOutcome.sessionId,
        opTypeFlf: { chain: { ...chain, ...part } },
        iv: IV,
        srcData: TEXT,
        aad: new Uint8Array(0),
      });
      const expected = createCipheriv("aes-128-cbc", KEY, IV).setAutoPadding(false).update(TEXT);
      expect(reply.status).toBe("OK");
      expect(expected.equals(reply.dstData)).toBe(true);
      expect(createHmac("sha256", Buffer.alloc(20, 8)).update(expected).digest().equals(reply.hashResult)).toBe(true);

      const mac = await driver.controlq.submit({
        opcode: "MAC_CREATE_SESSION",
        opFlf: { algo: "HMAC_SHA1", hashResultLen: 20, authKeyLen: 16 },
        opVlf: { authKey: KEY },
      });
      const rsa = await driver.controlq.submit({
        opcode: "AKCIPHER_CREATE_SESSION",
        opFlf: {
          algo: "RSA",
          keyType: "PUBLIC",
          keyLen: 16,
          algoFlf: { kind: "RSA", rsa: { paddingAlgo: "PKCS1_PADDING", hashAlgo: "SHA1" } },
        },
        opVlf: { key: KEY },
      });
      // A key that the message has no room for does not end the connection.
      const long = await driver.controlq.submit({
        opcode: "CIPHER_CREATE_SESSION",
        opType: "CIPHER",
        opFlf: { cipher: { algo: "AES_CBC", keyLen: 65, op: "ENCRYPT" } },
        opVlf: { cipherKey: Buffer.alloc(65) },
      });
      expect([mac.opOutcome.status, rsa.opOutcome.status, long.opOutcome.status]).toEqual(["NOTSUPP", "ERR", "ERR"]);
      expect(errors).toEqual([]);
      const close = (sessionId: bigint) =>
        driver.controlq.submit({ opcode: "CIPHER_DESTROY_SESSION", opFlf: { sessionId } });
      expect((await close(opOutcome.sessionId)).opOutcome.status).toBe("OK");
      expect((await close(opOutcome.sessionId)).opOutcome.status).toBe("INVSESS");
      expect(errors).toEqual([expect.stringContaining("refused")]);
      await driver.stop();
    });
  });

  it("asymmetric ones in the layout that has a place for them", async () => {
    const asked: unknown[] = [];
    const device = new CryptoDevice({
      config: { status: 1, maxDataqueues: 1, cryptoServices: 16, akcipherAlgo: 2, maxSize: 4096n },
      features: ["REVISION_1"],
      dataq: (request) => request.complete("NOTSUPP"),
      controlq(request) {
        asked.push(request.opcode);
        switch (request.opcode) {
          case "AKCIPHER_CREATE_SESSION":
            asked.push(request.opFlf, request.opVlf.key.length);
            return request.complete({ opOutcome: { sessionId: 9n, status: "OK" } });
          case "AKCIPHER_DESTROY_SESSION":
            asked.push(request.opFlf.sessionId);
            return request.complete({ opOutcome: { status: "OK" } });
          default:
            throw new Error("not asked for here");
        }
      },
    });
    await between(device, async (transport, errors) => {
      const driver = await CryptoDriver.start(new CryptoMessages(transport), { features: ["REVISION_1"] });
      const flf = {
        algo: "RSA",
        keyType: "PRIVATE",
        keyLen: 1024,
        algoFlf: { kind: "RSA", rsa: { paddingAlgo: "PKCS1_PADDING", hashAlgo: "SHA256" } },
      } as const;
      const { opOutcome } = await driver.controlq.submit({
        opcode: "AKCIPHER_CREATE_SESSION",
        opFlf: flf,
        opVlf: { key: Buffer.alloc(1024, 3) },
      });
      expect(opOutcome).toEqual({ sessionId: 9n, status: "OK" });
      const end = await driver.controlq.submit({ opcode: "AKCIPHER_DESTROY_SESSION", opFlf: { sessionId: 9n } });
      expect(end.opOutcome.status).toBe("OK");
      expect(asked).toEqual(["AKCIPHER_CREATE_SESSION", flf, 1024, "AKCIPHER_DESTROY_SESSION", 9n]);
      expect(errors).toEqual([]);
      await driver.stop();
    });
  });

  it("and a control ring that the back end writes to, which has its memory, is a device that needs a reset", async () => {
    const engine = openCryptoEngine();
    await between(engine.device, async (transport) => {
      const messages = new CryptoMessages(transport);
      const enabled = vi.spyOn(messages, "enableQueue");
      const errors: string[] = [];
      const driver = await CryptoDriver.start(messages, { onError: ({ message }) => void errors.push(message) });
      const [, { driver: at } = { driver: 0 }] = enabled.mock.calls.find(([index]) => index === 1) ?? [];
      const region = transport.memory.locate(at, 4);
      // As if the driver had made 1,000 buffers available.
      region?.view.setUint16(at - region.start + 2, 1000, true);
      messages.notify(1);
      await until(() => errors.length > 0, "an error");
      expect(errors).toEqual([expect.stringContaining("device-needs-reset")]);
      await expect(
        driver.controlq.submit({ opcode: "CIPHER_DESTROY_SESSION", opFlf: { sessionId: 1n } }),
      ).rejects.toMatchObject({ rule: "device-needs-reset" });
      await driver.recover();
      await exerciseAes(driver, 16);
      await driver.stop();
    });
  });

  it("by hand, when a ring runs", async () => {
    const engine = openCryptoEngine();
    await between(engine.device, async (transport) => {
      expect(await transport.createCryptoSession(cbc)).toBeUndefined();
      const driver = await CryptoDriver.start(new CryptoMessages(transport));
      const id = await transport.createCryptoSession(cbc);
      expect([id, engine.sessions]).toEqual([1n, 1]);
      await expect(transport.createCryptoSession({ ...cbc, cipherKey: Buffer.alloc(65) })).rejects.toThrow("65 bytes");
      expect([await transport.closeCryptoSession(1n), await transport.closeCryptoSession(1n)]).toEqual([true, false]);
      await driver.stop();
    });
  });

  it("not with a device of another type", async () => {
    const { path } = await serveDisk();
    const transport = await connect(path, { deviceId: BLK_DEVICE_ID });
    await expect(transport.createCryptoSession(cbc)).rejects.toThrow("not-negotiated");
    await expect(transport.closeCryptoSession(1n)).rejects.toThrow("not-negotiated");
    transport.close();
  });
});
