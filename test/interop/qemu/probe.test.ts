import { readdirSync } from "node:fs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { ProbeReport } from "../../../src/probe/index.js";
import { Workspace } from "../../cli/workspace.js";
import { requireQemu } from "./machine.js";

async function probed(...args: string[]): Promise<{ code: number; report: ProbeReport }> {
  const { code, out, err } = await new Workspace().run(["probe", "--json", ...args]);
  expect(err).toBe("");
  return { code, report: JSON.parse(out) as ProbeReport };
}

/** Verdicts of a device, by the last part of the check's name. */
function verdicts(report: ProbeReport, at = 0): Record<string, string> {
  const checks = report.devices[at]?.checks ?? [];
  return Object.fromEntries(checks.map(({ id, verdict }) => [id.replace("queue-reset.", ""), verdict]));
}

describe.runIf(await requireQemu())("virtio-gen probe", () => {
  it("finds that virtio-net-pci resets and resizes idle queues", { timeout: 900_000 }, async () => {
    const { report } = await probed("--device", "virtio-net-pci,mac=52:54:00:01:02:03");
    const [device] = report.devices;
    expect(device).toMatchObject({ id: 1, name: "net", transport: "pci", queueSizes: [256, 256, 64] });
    expect(device?.features).toEqual(expect.arrayContaining(["MAC", "CTRL_VQ", "VERSION_1", "RING_RESET"]));
    expect(device?.config).toMatchObject({ mac: "525400010203" });
    expect(verdicts(report)).toMatchObject({ idle: "pass", others: "pass", resize: "pass", again: "pass" });
    expect(verdicts(report)).toMatchObject({ "in-flight": "pass", untouched: "pass", quiet: "pass", fresh: "pass" });
    expect(verdicts(report)).toMatchObject({ "others-busy": "pass", every: "pass", early: "pass", vector: "pass" });
    // Queue 1 sends, which is what is asked of it; nothing arrives on queue 0.
    expect(report.devices[0]?.checks.find(({ id }) => id.endsWith(".others"))?.seen).toBe("queue 1 serves");
    expect(verdicts(report)).toMatchObject({ serves: "not checked", packed: "not offered", event_idx: "pass" });
  });

  it("looks at packed rings, too, where they are offered", { timeout: 900_000 }, async () => {
    const { report } = await probed("--device", "virtio-net-pci,packed=on");
    expect(verdicts(report)).toMatchObject({ indirect: "pass", packed: "pass", "packed-all": "pass" });
  });

  it("finds stale completions of virtio-blk-pci, or that they are mended", { timeout: 900_000 }, async () => {
    const { code, report } = await probed("--device", "virtio-blk-pci,packed=on,num-queues=2");
    expect(report.devices[0]?.config).toMatchObject({ capacity: 131_072 });
    expect(verdicts(report)).toMatchObject({ idle: "pass", resize: "pass", serves: "pass", "in-flight": "pass" });
    expect(verdicts(report)).toMatchObject({ others: "pass", "others-busy": "pass" });
    if (!report.qemu.startsWith("7.2.")) return;
    expect(code).toBe(1);
    expect(verdicts(report)).toMatchObject({ untouched: "fail", quiet: "fail", fresh: "fail", unnegotiated: "fail" });
    const variants = ["event_idx", "indirect", "packed", "packed-all"];
    expect(variants.map((id) => verdicts(report)[id])).toEqual(variants.map(() => "fail"));
    expect(report.devices[0]?.checks.find(({ id }) => id.endsWith("fresh"))?.seen).toMatch(/^\d+ stale completions$/);
  });

  it("finds that virtio-mmio ignores QueueReset, and says so in a table", { timeout: 900_000 }, async () => {
    const args = ["probe", "--machine", "microvm", "--device", "virtio-blk-device"];
    const { code, out } = await new Workspace().run(args, { terminal: true, env: { TERM: "xterm" } });
    expect(out).toContain("virtio-blk (device 2) over MMIO");
    expect(out).toContain("\u001b[");
    if (!out.includes("QEMU 7.2.")) return;
    expect(code).toBe(1);
    expect(out).toMatch(/2\.6\.1\.1 {2}resets an idle queue .*fail.*reset reads 0, enable reads 1/);
  });

  it("looks at several devices of QEMU's own arguments, on both boards", { timeout: 900_000 }, async () => {
    const pci = ["-device", "virtio-rng-pci", "-device", "virtio-scsi-pci", "-device", "virtio-balloon-pci"];
    const { report } = await probed("--", ...pci, "-device", "virtio-serial-pci,max_ports=4,disable-legacy=on");
    expect(report.devices.map(({ name }) => name).sort()).toEqual(["balloon", "console", "entropy", "scsi"]);
    for (const { name, problem, checks } of report.devices) {
      expect(problem).toBeUndefined();
      expect(checks.length).toBe(22);
      const found = Object.fromEntries(checks.map(({ id, verdict }) => [id.replace("queue-reset.", ""), verdict]));
      expect(found).toMatchObject({
        idle: "pass",
        every: "pass",
        twice: "pass",
        unconfigured: "pass",
        default: "pass",
      });
      if (name !== "console") expect(found["serves"]).toBe("pass");
    }
    const mmio = ["-device", "virtio-rng-device", "-device", "virtio-balloon-device"];
    const other = await probed("--machine", "microvm", "--", ...mmio);
    expect(other.report.devices.map(({ name }) => name).sort()).toEqual(["balloon", "entropy"]);
  });

  it("says that a feature is not offered, and is content with that", { timeout: 900_000 }, async () => {
    const { code, report } = await probed("--device", "virtio-rng-pci,queue_reset=off");
    expect(code).toBe(0);
    expect(new Set(Object.values(verdicts(report)))).toEqual(new Set(["not offered"]));
  });

  it(
    "ends with 2 and a reason when there is nothing to probe, and leaves nothing behind",
    { timeout: 900_000 },
    async () => {
      const workspace = new Workspace();
      vi.stubEnv("TMPDIR", workspace.folder);
      onTestFinished(() => void vi.unstubAllEnvs());
      const none = await workspace.run(["probe"]);
      expect(none).toMatchObject({ code: 2, err: expect.stringContaining("say which devices") });
      const unknown = await workspace.run(["probe", "--", "-device", "virtio-toaster"]);
      expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining("virtio-toaster") });
      const empty = await workspace.run(["probe", "--", "-name", "empty"]);
      expect(empty).toMatchObject({ code: 2, err: expect.stringContaining("no virtio device") });
      const missing = await workspace.run(["probe", "--qemu", "no-such-qemu", "--device", "virtio-rng-pci"]);
      expect(missing).toMatchObject({ code: 2, err: expect.stringContaining("no-such-qemu cannot be run") });
      expect(readdirSync(workspace.folder)).toEqual([]);
    },
  );
});
