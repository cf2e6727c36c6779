/**
 * Linux in v86, a PC in WebAssembly, uses a generated disk and a generated keyboard: `npm run example v86` on the PCI bus,
 * `npm run example v86 mmio` behind memory-mapped registers.
 */
import { openKeyboard } from "../../src/serve/keyboard.js";
import { onMmio, V86Guest } from "../../test/interop/v86/v86-guest.js";
import { createRamDisk } from "../ram-disk/disk.js";
import { prompt, say } from "../shared/guest-terminal.js";

const EV_KEY = 1;
const KEY_V = 47;
const sectors = new Uint8Array(16 << 20);
const keyboard = openKeyboard({ name: "a keyboard in TypeScript" });
const devices = [createRamDisk(sectors), keyboard.device];

say("Starting Linux in v86, which takes half a minute (the first time, some 70 MB are fetched)");
const isMmio = process.argv[2] === "mmio";
const modules = [isMmio ? "virtio_mmio" : "virtio_pci", "virtio_blk", "virtio_input", "evdev"];
const guest = await V86Guest.start(isMmio ? onMmio(devices) : devices, modules);
try {
  const run = async (command: string): Promise<string> => {
    const output = await guest.run(command);
    prompt(command, output);
    return output;
  };
  await run("dmesg | grep 'vda\\]' | sed 's/^[^]]*\\] //'");
  await run("echo 'written by Linux, kept by TypeScript' >/dev/vda; sync");
  say(`The first bytes of the disk here: "${Buffer.from(sectors.subarray(0, 36)).toString()}"`);

  const found = await run("cd /sys/class/input; grep -l TypeScript event*/device/name");
  const format = `'2/4 "%u " ": type " 1/2 "%u" ", code " 1/2 "%u" ", value " 1/4 "%d" "\\n"'`;
  const reading = run(`head -c 64 /dev/input/${found.split("/")[0] ?? ""} | hexdump -v -e ${format}`);
  // An event is for those who have opened the file by then.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const value of [1, 0]) {
    keyboard.send(EV_KEY, KEY_V, value);
    keyboard.sync();
  }
  await reading;
} finally {
  await guest.close();
}
