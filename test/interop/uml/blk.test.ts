import { createHash, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { RamDisk } from "../linux/ram-disk.js";
import { requireUml, umlWith } from "./uml.js";

const MIB = 1 << 20;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

describe.runIf(await requireUml())(
  "the disk driver of User-mode Linux and a generated device",
  { timeout: 60_000 },
  () => {
    const disk = new RamDisk(32 * MIB, 48 * MIB, 4);
    const session = umlWith([disk.device], ["virtio_blk"]);

    it("has the size, the block size and the name that it says", async () => {
      const { guest } = session;
      expect(await guest.run("cat /sys/block/vda/size")).toBe(String((32 * MIB) / 512));
      expect(await guest.run("cat /sys/block/vda/serial")).toBe("ram-disk-of-a-test");
    });

    it("is asked for what is on it, sector by sector", async () => {
      const pattern = randomBytes(64 * 512);
      pattern.copy(disk.bytes, MIB);
      const dd = "dd if=/dev/vda bs=512 skip=2048 count=64 iflag=direct 2>/dev/null";
      const { bytes } = await session.guest.attempt(dd);
      expect(sha256(bytes)).toBe(sha256(pattern));
    });
  },
);
