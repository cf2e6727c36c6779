import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { loadKoffi } from "../../src/runtime/transport/posix/koffi.js";
import { requireGuest } from "../interop/linux/guest.js";

const hasGuest = (await requireGuest()) && (await loadKoffi()) !== undefined;
const root = fileURLToPath(new URL("../../", import.meta.url));
const runFile = promisify(execFile);

/** Runs a program of examples/ as `npm run example` does, without colour. */
async function example(name: string): Promise<string> {
  const { stdout, stderr } = await runFile(process.execPath, ["scripts/example.mjs", name], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    timeout: 600_000,
  });
  expect(stderr).toBe("");
  return stdout;
}

describe("the examples", () => {
  it("first-device: both ends of a new device", async () => {
    expect((await example("first-device")).trim().split("\n")).toEqual([
      "2 probes, the room has 294 K",
      "window: 8.25 °C (OK)",
      "radiator: 45.75 °C (OK)",
      "probe 99: NO_SUCH_PROBE",
      "the room now has 289 K",
    ]);
  }, 600_000);

  it("ram-disk: write, flush, read, zero", async () => {
    const output = await example("ram-disk");
    expect(output).toContain('read: OK, "The quick brown fox jumps over the lazy dog."');
    expect(output).toContain("write zeroes: OK, all zero");
    expect(output).toContain("read past the end: IOERR");
  }, 600_000);

  it("echo-nic: ARP and ping, over merged buffers", async () => {
    const lines = (await example("echo-nic")).trim().split("\n");
    expect(lines[1]).toBe("< ARP 10.0.0.1 is at 02:00:00:00:00:01");
    expect(lines.filter((line) => /^< ICMP echo reply .* checksum good$/.test(line))).toHaveLength(3);
  }, 600_000);

  it("emulator: a device on MMIO, one on PCI, and a guest", async () => {
    expect((await example("emulator")).trim().split("\n")).toEqual([
      "entropy over MMIO: 32 bytes",
      "disk over PCI: write OK, 2048 sectors",
    ]);
  }, 600_000);

  it("two-threads: a disk in another thread, until that is ended", async () => {
    expect((await example("two-threads")).trim().split("\n")).toEqual([
      expect.stringMatching(/^capacity: 2048 sectors, served by thread \d+$/),
      "writes: 100 OK",
      'read: OK, "42: Written by one thread, kept by another."',
      expect.stringContaining("the driver says: device-needs-reset"),
      "after the thread was ended: ProtocolError",
    ]);
  }, 600_000);

  it("tour: compiles everything and uses every device, in 80 columns", async () => {
    const output = await example("tour");
    expect(output).toContain("what was read back is the same");
    expect(output).toContain("ICMP echo reply");
    expect(output).toContain('port 1     "hello, log" -> "10 characters so far"');
    expect(output).toContain("All of it worked.");
    for (const line of output.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  }, 600_000);

  it.runIf(hasGuest)(
    "linux-disk: Linux makes a file system on it, mounts it and writes a file",
    async () => {
      const output = await example("linux-disk");
      expect(output).toContain("[vda] 32768 512-byte logical blocks");
      expect(output).toMatch(/\/dev\/vda +15\.5M .* \/mnt$/m);
      expect(output).toMatch(/at byte \d+ of the array: "written by Linux, kept by TypeScript"$/m);
    },
    600_000,
  );
});
