import { createCipheriv, createHash } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import type { CryptoEngine } from "../../../src/serve/crypto/crypto-engine.js";
import { PATIENCE, unbind, type V86Session } from "./v86-session.js";

const DRIVER = "virtio_crypto_aes_cbc";
/** The kernel's own. */
const SOFTWARE = "cbc(aes-generic)";
const IV = "000102030405060708090a0b0c0d0e0f";
const LENGTH = 1 << 16;
const keys = [16, 24, 32].map((length) => Buffer.from(Array.from({ length }, (_, index) => 5 * index + length)));

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Tests of Linux's virtio_crypto. */
export function judgeCrypto(session: V86Session, engine: CryptoEngine): void {
  const plain = Buffer.alloc(LENGTH, "what is to be encrypted; ");
  beforeAll(async () => {
    const { guest } = session;
    await guest.run("modprobe -a virtio_crypto algif_skcipher", PATIENCE);
    await guest.run(`yes 'what is to be encrypted; ' | tr -d '\\n' | head -c ${LENGTH} >/tmp/plain`, PATIENCE);
  }, 3000 * PATIENCE);

  it("is tried by the kernel with its test vectors, and taken", async () => {
    const { guest } = session;
    await guest.until(`grep -A 5 ${DRIVER} /proc/crypto | grep -q 'selftest *: passed'`, PATIENCE);
    expect(engine.served).toBeGreaterThan(0);
    expect([engine.opened > 0, engine.sessions]).toEqual([true, 0]);
    expect(await guest.run("sha256sum </tmp/plain", PATIENCE)).toBe(`${sha256(plain)}  -`);
  });

  it.each(keys.map((key) => [key.length, key] as const))(
    "encrypts and decrypts with a key of %d bytes as node:crypto and the kernel do",
    async (length, key) => {
      const { guest } = session;
      const cipher = createCipheriv(`aes-${8 * length}-cbc`, key, Buffer.from(IV, "hex")).setAutoPadding(false);
      const expected = Buffer.concat([cipher.update(plain), cipher.final()]);
      const [before, opened] = [engine.served, engine.opened];
      const arguments_ = `${key.toString("hex")} ${IV}`;
      await guest.run(`cipher ${DRIVER} encrypt ${arguments_} </tmp/plain >/tmp/secret`, PATIENCE);
      expect(engine.served - before).toBeGreaterThanOrEqual(LENGTH / 16384);
      expect(engine.opened).toBe(opened + 2);
      expect(await guest.run("sha256sum </tmp/secret", PATIENCE)).toBe(`${sha256(expected)}  -`);
      const between = engine.served;
      await guest.run(`cipher '${SOFTWARE}' encrypt ${arguments_} </tmp/plain | cmp - /tmp/secret`, PATIENCE);
      expect(engine.served).toBe(between);
      await guest.run(`cipher ${DRIVER} decrypt ${arguments_} </tmp/secret | cmp - /tmp/plain`, PATIENCE);
      expect(engine.served).toBeGreaterThan(between);
      expect(engine.sessions).toBe(0);
    },
  );

  it("starts again after its driver was taken away", async () => {
    const { guest } = session;
    const bind = await unbind(session, "virtio_crypto");
    expect((await guest.attempt(`grep -q ${DRIVER} /proc/crypto`)).status).toBe(1);
    await bind();
    await guest.until(`grep -q ${DRIVER} /proc/crypto`, PATIENCE);
    const before = engine.served;
    const key = keys[0]?.toString("hex") ?? "";
    await guest.run(`head -c 4096 /tmp/plain | cipher ${DRIVER} encrypt ${key} ${IV} >/dev/null`, PATIENCE);
    expect(engine.served).toBeGreaterThan(before);
  });
}
