import { describe, expect, it } from "vitest";
import { CryptoDevice, type CryptoControl, type CryptoDeviceOptions } from "../../../../generated/crypto.js";
import {
  decodePayload,
  encodePayload,
  ProtocolFeature,
  type CryptoSession,
  type CryptoSessionMessage,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openCryptoEngine } from "../../../../src/serve/crypto/crypto-engine.js";
import { cbc, key, serveCrypto } from "./crypto-session.js";
import { features, ScriptedFrontEnd, until } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { serveDisk } from "./served-disk.js";

const hmac = { ...cbc, operation: 2, hash: 2, hashResultLength: 20, hashMode: 2, chainOrder: 2, authKey: key };
const rsa: CryptoSession = { kind: "asymmetric", algorithm: 1, keyType: 1, padding: 1, hash: 5, key };

/** A front end that does as QEMU does: it passes no feature on, does not enable the ring, and serves the control queue. */
describe.runIf(await requireVhostUser())("a crypto device whose front end keeps the control queue", () => {
  async function served(
    device: CryptoDevice,
    work: (front: ScriptedFrontEnd, told: readonly string[]) => Promise<void>,
    { stopTimeout = 2000, startsRing = true } = {},
  ): Promise<void> {
    const { path, told } = await serveCrypto(device, { stopTimeout });
    const front = await ScriptedFrontEnd.connect(path);
    try {
      await front.setUp(features.PROTOCOL);
      if (startsRing) await front.startRing(0, { withoutEnable: true });
      await work(front, told);
    } finally {
      front.close();
    }
  }
  async function create(
    front: ScriptedFrontEnd,
    session: CryptoSession,
    layout: CryptoSessionMessage["layout"] = "symmetric",
  ): Promise<bigint> {
    const answer = decodePayload(
      "cryptoSession",
      await front.ask("CREATE_CRYPTO_SESSION", "cryptoSession", { layout, id: 0n, session }),
    );
    expect(answer.layout).toBe(layout);
    return answer.id;
  }
  /** A device that answers as a test says; what it is asked. */
  function scripted(controlq: CryptoDeviceOptions["controlq"]) {
    const asked: object[] = [];
    const device = new CryptoDevice({
      config: { status: 1, maxDataqueues: 1, cryptoServices: 1, cipherAlgoL: 1 << 3, maxSize: 4096n },
      features: ["REVISION_1"],
      dataq: (request) => request.complete("NOTSUPP"),
      controlq(request: CryptoControl) {
        const { opcode, algo } = request;
        const [flf, vlf] = [
          "opFlf" in request ? request.opFlf : undefined,
          "opVlf" in request ? request.opVlf : undefined,
        ];
        asked.push({ opcode, header: algo, ...flf, ...vlf });
        return controlq(request);
      },
    });
    return { device, asked };
  }
  const ok = (sessionId: bigint) => (request: CryptoControl) => {
    switch (request.opcode) {
      case "CIPHER_CREATE_SESSION":
      case "AKCIPHER_CREATE_SESSION":
        return request.complete({ opOutcome: { sessionId, status: "OK" } });
      case "CIPHER_DESTROY_SESSION":
      case "AKCIPHER_DESTROY_SESSION":
        return request.complete({ opOutcome: { status: "OK" } });
      default:
        throw new Error("not asked for here");
    }
  };

  it("offers CRYPTO_SESSION, which no other device does", async () => {
    const bit = 1n << BigInt(ProtocolFeature.CRYPTO_SESSION);
    await served(openCryptoEngine().device, async (front) => {
      expect((await front.askNumber("GET_PROTOCOL_FEATURES")) & bit).toBe(bit);
    });
    const disk = await serveDisk();
    const front = await ScriptedFrontEnd.connect(disk.path);
    expect((await front.askNumber("GET_PROTOCOL_FEATURES")) & bit).toBe(0n);
    front.close();
  });

  it.each(["symmetric", "tagged"] as const)("makes sessions and ends them: layout %s", async (layout) => {
    const engine = openCryptoEngine();
    await served(engine.device, async (front, told) => {
      expect(engine.device.live).toBe(true);
      const ids = [await create(front, cbc, layout), await create(front, hmac, layout)];
      expect(new Set(ids).size).toBe(2);
      expect(engine.sessions).toBe(2);
      // One that the device refuses, and one that it knows nothing of.
      expect(await create(front, { ...cbc, cipherKey: key.subarray(1) }, layout)).toBe(-1n);
      expect(await create(front, { ...cbc, cipher: 99 }, layout)).toBe(-1n);
      for (const id of ids) expect(await front.acknowledged("CLOSE_CRYPTO_SESSION", "u64", id)).toBe(true);
      expect(engine.sessions).toBe(0);
      expect(told).toEqual([]);
      expect(await front.acknowledged("CLOSE_CRYPTO_SESSION", "u64", ids[0] ?? 0n)).toBe(false);
      // Whoever does not ask is not told, and not cut off either.
      front.send("CLOSE_CRYPTO_SESSION", "u64", 0xffff_ffff_ffff_ffffn);
      expect(await create(front, cbc, layout)).toBeGreaterThan(0n);
      expect(told).toEqual([expect.stringContaining("refused"), expect.stringContaining("refused")]);
    });
  });

  it("passes everything on that a control request has, and tells the kinds apart when they end", async () => {
    const { device, asked } = scripted(ok(0n));
    await served(device, async (front, told) => {
      expect(await create(front, hmac, "tagged")).toBe(0n);
      expect(await front.acknowledged("CLOSE_CRYPTO_SESSION", "u64", 0n)).toBe(true);
      expect(await create(front, rsa, "tagged")).toBe(0n);
      expect(await front.acknowledged("CLOSE_CRYPTO_SESSION", "u64", 0n)).toBe(true);
      expect(asked).toEqual([
        {
          opcode: "CIPHER_CREATE_SESSION",
          header: 3,
          chain: {
            algChainOrder: "CIPHER_THEN_HASH",
            hashMode: "AUTH",
            cipherHdr: { algo: "AES_CBC", keyLen: 16, op: "ENCRYPT" },
            algoFlf: { kind: "AUTH", mac: { algo: "HMAC_SHA1", hashResultLen: 20, authKeyLen: 16 } },
            aadLen: 0,
          },
          cipherKey: key,
          authKey: key,
        },
        { opcode: "CIPHER_DESTROY_SESSION", header: 0, sessionId: 0n },
        {
          opcode: "AKCIPHER_CREATE_SESSION",
          header: 1,
          algo: "RSA",
          keyType: "PUBLIC",
          keyLen: 16,
          algoFlf: { kind: "RSA", rsa: { paddingAlgo: "PKCS1_PADDING", hashAlgo: "SHA1" } },
          key,
        },
        { opcode: "AKCIPHER_DESTROY_SESSION", header: 0, sessionId: 0n },
      ]);
      expect(told).toEqual([]);
    });
  });

  it.each([
    ["fails", () => Promise.reject(new Error("broken"))],
    ["gives a number that the message cannot carry", ok(2n ** 63n)],
  ] as const)("makes no session when the device's handler %s", async (_, controlq) => {
    const { device } = scripted(controlq);
    await served(device, async (front) => {
      expect(await create(front, cbc)).toBeLessThan(0n);
      expect(await create(front, cbc)).toBeLessThan(0n);
    });
  });

  it("does not wait for ever for a handler that never answers", async () => {
    const { device } = scripted(() => new Promise(() => undefined));
    await served(
      device,
      async (front, told) => {
        expect(await create(front, cbc)).toBe(-1n);
        // It is still busy with the first.
        expect(await create(front, cbc)).toBe(-1n);
        expect(await front.acknowledged("CLOSE_CRYPTO_SESSION", "u64", 1n)).toBe(false);
        expect(told.filter((message) => message.includes("does not answer"))).toHaveLength(2);
      },
      { stopTimeout: 50 },
    );
  });

  it("makes none before a ring runs, nor when the driver has the control queue itself", async () => {
    const engine = openCryptoEngine();
    await served(
      engine.device,
      async (front) => {
        expect(await create(front, cbc)).toBe(-1n);
        await front.startRing(0, { withoutEnable: true });
        expect(await create(front, cbc)).toBe(1n);
        // The driver's own queue takes the place of the messages.
        const ring = await front.startRing(1);
        expect(await create(front, cbc)).toBe(-1n);
        await ring.stop();
        expect(await create(front, cbc)).toBe(2n);
      },
      { startsRing: false },
    );
  });

  it("keeps its sessions over a pause of the machine, and loses them with a reset", async () => {
    const engine = openCryptoEngine();
    await served(engine.device, async (front) => {
      await create(front, cbc);
      const pause = async (base: number): Promise<void> => {
        const { num } = decodePayload(
          "vringState",
          await front.ask("GET_VRING_BASE", "vringState", { index: 0, num: 0 }),
        );
        expect(num).toBe(base);
        await front.startRing(0, { withoutEnable: true });
      };
      await pause(0);
      expect(engine.sessions).toBe(1);
      expect(await front.acknowledged("RESET_DEVICE", "none", undefined)).toBe(true);
      expect(engine.sessions).toBe(0);
      expect(await create(front, cbc)).toBe(-1n);
      await front.startRing(0, { withoutEnable: true });
      expect(await create(front, cbc)).toBe(2n);
    });
  });

  it.each([
    ["a payload of another size", () => new Uint8Array(640), "payload-size"],
    ["a key that is longer than its place", () => withKeyLength(0xffff_ffff), "crypto-session"],
  ] as const)("ends the connection for %s", async (_, payload, rule) => {
    await served(openCryptoEngine().device, async (front, told) => {
      front.channel.request("CREATE_CRYPTO_SESSION", payload());
      await front.cutOff();
      await until(() => told.length > 0);
      expect(told).toEqual([expect.stringContaining(rule)]);
    });
  });
});

function withKeyLength(length: number): Uint8Array {
  const bytes = encodePayload("cryptoSession", { layout: "symmetric", id: 0n, session: cbc });
  new DataView(bytes.buffer).setUint32(12, length, true);
  return bytes;
}
