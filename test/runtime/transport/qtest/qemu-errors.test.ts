import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { QemuError, QemuProcess } from "../../../../src/runtime/transport/qtest/index.js";

/** A program in QEMU's place; `qtest` and `qmp` are the paths of the sockets that it should open. */
function program(body: string): { readonly path: string; readonly pidFile: string } {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "qemu.mjs");
  const pidFile = join(folder, "pid");
  const script = `#!${process.execPath}
import { createServer } from "node:net";
import { writeFileSync } from "node:fs";
writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
const [qtest, qmp] = process.argv.filter((word) => word.startsWith("unix:")).map((word) => word.slice(5).split(",")[0]);
const serve = (path, work) => createServer(work).listen(path);
${body}
`;
  writeFileSync(path, script);
  chmodSync(path, 0o755);
  return { path, pidFile };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function failure(body: string): Promise<string> {
  const { path, pidFile } = program(body);
  const error: unknown = await QemuProcess.start({ program: path, map: false, startTimeout: 3000 }).then(
    (qemu) => qemu.close().then(() => "it started"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(QemuError);
  expect(existsSync(pidFile)).toBe(true);
  expect(isRunning(Number(readFileSync(pidFile, "utf8")))).toBe(false);
  return error instanceof Error ? error.message : "";
}

describe("QemuProcess", { timeout: 15_000 }, () => {
  it("says so when there is no such program", async () => {
    const start = QemuProcess.start({ program: "/nowhere/qemu", map: false });
    await expect(start).rejects.toThrow("/nowhere/qemu cannot be run");
  });
  it("shows what QEMU printed when it ends at once", async () => {
    const text = await failure(`console.error("qemu: no such device"); process.exitCode = 1;`);
    expect(text).toContain("exit code 1");
    expect(text).toContain("no such device");
  });
  it("shows it, too, when it dies in the middle of the greeting", async () => {
    const text = await failure(`
      serve(qtest, () => {});
      serve(qmp, (socket) => { console.error("out of luck"); socket.destroy(); setTimeout(() => process.exit(7), 50); });`);
    expect(text).toContain("exit code 7");
    expect(text).toContain("out of luck");
  });
  it("does not wait for sockets that never come, nor for an answer", async () => {
    expect(await failure(`setInterval(() => {}, 1000);`)).toMatch(/does not (answer|open its sockets)/);
    expect(await failure(`serve(qtest, () => {}); serve(qmp, () => {});`)).toContain("QEMU does not answer");
  });
  it("refuses rubbish", async () => {
    const text = await failure(`serve(qtest, () => {}); serve(qmp, (socket) => socket.write("HTTP/1.1 200 OK\\n"));`);
    expect(text).toContain('QMP said "HTTP/1.1 200 OK", which is no JSON');
  });
});
