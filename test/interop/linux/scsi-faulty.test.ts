import { describe, expect, it } from "vitest";
import { requireGuest } from "./guest.js";
import { ScsiDisk } from "./scsi-disk.js";
import { guestWith } from "./vhost-user.js";

const BLOCKS = 32768;
/** Blocks with which something is wrong. */
const [THROWN, REJECTED] = [8000, 16000];

describe.runIf(await requireGuest())("Linux's SCSI disk whose handler fails", { timeout: 900_000 }, () => {
  const disk = new ScsiDisk(512 * BLOCKS, 1);
  disk.bytes.fill(0x5a);
  disk.beforeTransfer = (block) => {
    if (block === THROWN) throw new Error(`no block ${block}`);
    if (block !== REJECTED) return undefined;
    return new Promise((_, reject) => setTimeout(() => reject(new Error(`no block ${block}`)), 5));
  };
  const errors = new Set<string>();
  disk.device.onProtocolError = (error) => errors.add(error.message);
  const session = guestWith([disk.device], (socket) => ({
    devices: ["-chardev", `socket,id=host,path=${socket}`, "-device", "vhost-user-scsi-pci,chardev=host,num_queues=1"],
    modules: ["virtio_scsi", "sd_mod"],
  }));

  it.each([THROWN, REJECTED])("sees an I/O error, reading and writing block %i", async (block) => {
    const { guest } = session;
    await guest.until("[ -e /sys/block/sda/size ]");
    errors.clear();
    const read = await guest.attempt(`dd if=/dev/sda bs=512 skip=${block} count=1 iflag=direct of=/dev/null`);
    expect(read.output).toContain("Input/output error");
    const write = await guest.attempt(`dd if=/dev/zero of=/dev/sda bs=512 seek=${block} count=1 oflag=direct`);
    expect(write.output).toContain("Input/output error");
    expect([...errors]).toEqual([`handler of queue 2: no block ${block}`]);
    expect(disk.bytes[512 * block]).toBe(0x5a);
  });

  it("goes on", async () => {
    const { guest } = session;
    expect(
      await guest.run("dd if=/dev/sda bs=512 skip=9000 count=1 iflag=direct 2>/dev/null | hexdump -C | head -n 1"),
    ).toContain("5a 5a 5a 5a 5a 5a 5a 5a");
    await guest.powerOff();
    expect(session.problems).toEqual([]);
  });
});
