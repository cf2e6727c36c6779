import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openRandomSource } from "../../../src/serve/random-source.js";
import { requireGuest } from "./guest.js";
import { guestWith } from "./vhost-user.js";

if (await requireGuest())
  describe("Linux's entropy driver and a generated device over vhost-user", { timeout: 900_000 }, () => {
    // Every four bytes say where they are, so that it can be seen which ones the guest got.
    const words = 1 << 20;
    const served = Buffer.alloc(4 * words);
    for (let word = 0; word < words; word++) served.writeUInt32BE(word, 4 * word);
    const folder = mkdtempSync(join(tmpdir(), "virtio-gen-entropy-"));
    writeFileSync(join(folder, "bytes"), served);
    const source = openRandomSource({ path: join(folder, "bytes") });
    afterAll(async () => {
      await source.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const session = guestWith([source.device], (socket) => ({
      devices: ["-chardev", `socket,id=source,path=${socket}`, "-device", "vhost-user-rng-pci,chardev=source"],
      modules: ["virtio-rng"],
    }));

    it("is the guest's generator", async () => {
      expect(await session.guest.run("cat /sys/class/misc/hw_random/rng_current")).toMatch(/^virtio_rng\./);
    });

    it("gives what is served, in order", async () => {
      const { bytes } = await session.guest.attempt("dd if=/dev/hwrng bs=4096 count=16 iflag=fullblock 2>/dev/null");
      expect(bytes.length).toBe(65536);
      const got = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32BE(4 * index));
      let skipped = 0;
      got.forEach((word, index) => {
        const before = got[index - 1];
        if (before === undefined) return;
        expect(word).toBeGreaterThan(before);
        skipped += word - before - 1;
      });
      // The kernel takes some for its own pool, which is all that may be missing in between.
      expect(skipped).toBeLessThan(got.length / 4);
      expect(source.served).toBeGreaterThanOrEqual(4 * (got.at(-1) ?? 0));
    });

    it("lets the guest power off", async () => {
      await session.guest.powerOff();
      expect(session.problems).toEqual([]);
    });
  });
