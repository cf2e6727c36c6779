/** Linux makes a file system on the disk of disk.ts, mounts it and writes a file: `npm run example linux-disk`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Guest } from "../../test/interop/linux/guest.js";
import { prompt, say } from "../shared/guest-terminal.js";
import { serveDisk } from "./disk.js";

const folder = mkdtempSync(join(tmpdir(), "virtio-gen-"));
const socket = join(folder, "disk.sock");
const sectors = new Uint8Array(16 << 20);
const disk = await serveDisk(socket, sectors);
try {
  say("Starting Linux in QEMU, with the disk of disk.ts (the first time, some 70 MB are fetched for it)");
  const devices = ["-chardev", `socket,id=disk,path=${socket}`, "-device", "vhost-user-blk-pci,chardev=disk"];
  const guest = await Guest.start({ devices, modules: ["virtio_blk", "ext4"] });
  try {
    const commands = [
      "dmesg | grep 'vda\\]' | sed 's/^[^]]*\\] //'",
      "mke2fs -L generated /dev/vda >/dev/null",
      "mount -t ext2 /dev/vda /mnt",
      "echo 'written by Linux, kept by TypeScript' >/mnt/note",
      "df -h /mnt",
      "umount /mnt",
    ];
    for (const command of commands) prompt(command, await guest.run(command));
  } finally {
    await guest.close();
  }
  const at = Buffer.from(sectors.buffer).indexOf("written by Linux");
  say(`The same bytes here, at byte ${at} of the array: "${Buffer.from(sectors.subarray(at, at + 36)).toString()}"`);
} finally {
  await disk.close();
  rmSync(folder, { recursive: true, force: true });
}
