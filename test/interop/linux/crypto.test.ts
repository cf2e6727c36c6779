import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { openCryptoEngine } from "../../../src/serve/crypto/crypto-engine.js";
import { requireGuest } from "./guest.js";
import { guestWith } from "./vhost-user.js";

const DRIVER = "virtio_crypto_aes_cbc";
/** The kernel's own. */
const SOFTWARE = "cbc(aes-generic)";
const IV = "000102030405060708090a0b0c0d0e0f";
const LENGTH = 1 << 18;
const keys = [16, 24, 32].map((length) => Buffer.from(Array.from({ length }, (_, index) => 7 * index + length)));

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

if (await requireGuest())
  describe("Linux's crypto driver and a generated device over vhost-user", { timeout: 900_000 }, () => {
    const errors: string[] = [];
    const engine = openCryptoEngine({ onError: (error) => void errors.push(error.message) });
    const session = guestWith([engine.device], (socket) => ({
      devices: [
        ...["-chardev", `socket,id=crypto,path=${socket}`],
        ...["-object", "cryptodev-vhost-user,id=engine,chardev=crypto"],
        ...["-device", "virtio-crypto-pci,cryptodev=engine,vectors=0"],
      ],
      modules: ["virtio_crypto", "algif_skcipher"],
    }));
    /** The first bytes of a file that the guest has made, as it is on the host. */
    const plain = Buffer.alloc(LENGTH);
    for (let word = 0; word < LENGTH / 8; word++) plain.write(`${String(word).padStart(7, "0")}\n`, 8 * word);
    const hash = async (command: string): Promise<string> =>
      (await session.guest.run(`${command} | sha256sum`)).split(" ")[0] ?? "";

    it("is what the kernel takes for AES-CBC", async () => {
      // The kernel has tried it with its own test vectors, and closed what it had opened for that.
      expect(engine.served).toBeGreaterThan(0);
      expect([engine.opened > 0, engine.sessions]).toEqual([true, 0]);
      const listed = await session.guest.run("cat /proc/crypto");
      const entry = listed.split("\n\n").find((text) => text.includes(DRIVER)) ?? "";
      expect(entry).toMatch(/^name\s+: cbc\(aes\)$/m);
      expect(entry).toMatch(/^selftest\s+: passed$/m);
      const write = `for (word = 0; word < ${LENGTH / 8}; word++) printf "%07d\\n", word`;
      await session.guest.run(`awk 'BEGIN { ${write} }' >/tmp/plain`);
      expect(await hash("cat /tmp/plain")).toBe(sha256(plain));
      // By the name of the algorithm, whoever has the highest priority.
      const before = engine.served;
      await session.guest.run(
        `head -c 4096 /tmp/plain | cipher 'cbc(aes)' encrypt ${keys[0]?.toString("hex")} ${IV} >/dev/null`,
      );
      expect(engine.served).toBeGreaterThan(before);
    });

    it.each(keys.map((key) => [key.length, key] as const))(
      "encrypts and decrypts with a key of %d bytes as node:crypto and the kernel do",
      async (length, key) => {
        const { guest } = session;
        const cipher = createCipheriv(`aes-${8 * length}-cbc`, key, Buffer.from(IV, "hex")).setAutoPadding(false);
        const expected = Buffer.concat([cipher.update(plain), cipher.final()]);
        const [before, opened] = [engine.served, engine.opened];
        const arguments_ = `${key.toString("hex")} ${IV}`;
        await guest.run(`cipher ${DRIVER} encrypt ${arguments_} </tmp/plain >/tmp/secret`);
        expect(engine.served - before).toBeGreaterThanOrEqual(LENGTH / 16384);
        expect(engine.opened).toBe(opened + 2);
        expect(await hash("cat /tmp/secret")).toBe(sha256(expected));
        const between = engine.served;
        await guest.run(`cipher '${SOFTWARE}' encrypt ${arguments_} </tmp/plain >/tmp/software`);
        expect(engine.served).toBe(between);
        await guest.run("cmp /tmp/secret /tmp/software");
        await guest.run(`cipher ${DRIVER} decrypt ${arguments_} </tmp/software >/tmp/back`);
        await guest.run("cmp /tmp/plain /tmp/back");
        expect(engine.served).toBeGreaterThan(between);
      },
    );

    it("closes its sessions", () => {
      expect(engine.sessions).toBe(0);
    });

    it("serves many at a time, each with its key", async () => {
      const answers = await Promise.all(
        Array.from({ length: 6 }, async (_, index) => {
          const key = keys[index % keys.length] ?? Buffer.alloc(16);
          const iv = Buffer.alloc(16, index + 1);
          const command = `cipher ${DRIVER} decrypt ${key.toString("hex")} ${iv.toString("hex")} </tmp/plain`;
          const decipher = createDecipheriv(`aes-${8 * key.length}-cbc`, key, iv).setAutoPadding(false);
          return (await hash(command)) === sha256(Buffer.concat([decipher.update(plain), decipher.final()]));
        }),
      );
      expect(answers).toEqual(answers.map(() => true));
    });

    it("starts again after its driver was taken away, and lets the guest power off", async () => {
      const { guest } = session;
      await guest.run("rmmod virtio_crypto");
      await guest.run("modprobe virtio_crypto");
      await guest.until(`grep -q ${DRIVER} /proc/crypto`);
      const before = engine.served;
      await guest.run(
        `head -c 4096 /tmp/plain | cipher ${DRIVER} encrypt ${keys[0]?.toString("hex")} ${IV} >/dev/null`,
      );
      expect(engine.served).toBe(before + 1);
      await guest.powerOff();
      expect([...session.problems, ...errors]).toEqual([]);
    });
  });
