import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { probe } from "../../../../src/probe/index.js";
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
const serve = (path, work) =>
  createServer((socket) => {
    socket.on("error", () => {});
    work(socket);
  }).listen(path);
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

async function failure(body: string, startTimeout = 30_000): Promise<string> {
  const { path, pidFile } = program(body);
  const error: unknown = await QemuProcess.start({ program: path, map: false, startTimeout }).then(
    (qemu) => qemu.close().then(() => "it started"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(QemuError);
  expect(existsSync(pidFile)).toBe(true);
  expect(isRunning(Number(readFileSync(pidFile, "utf8")))).toBe(false);
  return error instanceof Error ? error.message : "";
}

/** Milliseconds that are not waited for, and those that are. */
const [PATIENCE, SHORT] = [60_000, 4000];

/** A monitor that agrees to everything, so many times, and is of this version. */
const MONITOR = (major: number, answers = 1000): string => `
  let answersLeft = ${String(answers)};
  serve(qmp, (socket) => {
    socket.write('{"QMP": {}}\\n');
    socket.on("data", (data) => {
      for (const line of String(data).trim().split("\\n")) {
        if (answersLeft-- <= 0) continue;
        const isQuestion = line.includes("query-version");
        const answer = isQuestion ? { qemu: { major: ${String(major)}, minor: 2, micro: 0 } } : {};
        socket.write(JSON.stringify({ return: answer }) + "\\n");
      }
    });
  });`;

/** Starts well; then `work` meets what goes wrong. Says how, how long that took, and checks that nothing is left. */
async function failureLater(
  body: string,
  work: (qemu: QemuProcess) => Promise<unknown>,
  answerTimeout = PATIENCE,
): Promise<string> {
  const { path, pidFile } = program(`${MONITOR(7)}\n${body}`);
  const qemu = await QemuProcess.start({ program: path, map: false, startTimeout: PATIENCE, answerTimeout });
  const begun = Date.now();
  const error: unknown = await work(qemu).then(
    () => "it worked",
    (reason: unknown) => reason,
  );
  expect(Date.now() - begun).toBeLessThan(PATIENCE);
  expect(error).toBeInstanceOf(QemuError);
  // Later ones fail as well, at once.
  await expect(qemu.qtest.readMemory(0, 4)).rejects.toBeInstanceOf(QemuError);
  await qemu.close();
  expect(isRunning(Number(readFileSync(pidFile, "utf8")))).toBe(false);
  expect(existsSync(qemu.folder)).toBe(false);
  return error instanceof Error ? error.message : "";
}

describe("a QEMU that started well", () => {
  const read = (qemu: QemuProcess): Promise<unknown> => qemu.qtest.readMemory(0x1000, 4);

  it("falls silent: what was asked fails in time, with what QEMU printed", async () => {
    const text = await failureLater(
      `console.error("I feel tired"); serve(qtest, () => {});`,
      (qemu) => Promise.all([read(qemu), read(qemu)]),
      SHORT,
    );
    expect(text).toContain('qtest has not answered "readl 0x1000" for 4 s');
    expect(text).toContain("I feel tired");
  });
  it("answers for a while, then not", async () => {
    const body = `let left = 3; serve(qtest, (socket) => socket.on("data", () => left-- > 0 && socket.write("OK 0x7\\n")));`;
    const text = await failureLater(
      body,
      async (qemu) => {
        for (let i = 0; i < 3; i++) expect(await read(qemu)).toBe(7);
        await read(qemu);
      },
      SHORT,
    );
    expect(text).toContain("has not answered");
  });
  it("talks all the time and answers nothing", async () => {
    const body = `serve(qtest, (socket) => setInterval(() => socket.write("IRQ raise 5\\n"), 10));`;
    expect(await failureLater(body, read, SHORT)).toContain("has not answered");
  });
  it("has a monitor that falls silent", async () => {
    const { path } = program(`${MONITOR(7, 1)}\nserve(qtest, () => {});`);
    const qemu = await QemuProcess.start({ program: path, map: false, startTimeout: PATIENCE, answerTimeout: SHORT });
    onTestFinished(() => qemu.close());
    const asked = qemu.qmp.execute("query-version");
    await expect(asked).rejects.toThrow(/QMP has not answered .*query-version/);
  });
  it("dies in the middle of an access: its last words and its exit code", async () => {
    const body = `serve(qtest, (socket) => socket.on("data", () => { console.error("assertion failed"); process.exit(3); }));`;
    const text = await failureLater(body, read);
    expect(text).toContain("QEMU ended (exit code 3)");
    expect(text).toContain("assertion failed");
  });
  it("hangs up, and lives on", async () => {
    const body = `console.error("bye"); serve(qtest, (socket) => socket.on("data", () => socket.destroy()));`;
    const text = await failureLater(body, read);
    expect(text).toContain("the connection was closed");
    expect(text).toContain("bye");
  });
  it.each([
    ["HTTP/1.1 200 OK", 'qtest answered "HTTP/1.1 200 OK" to "readl 0x1000"'],
    ["OK zebra", 'qtest answered "zebra" where a number belongs'],
    ["OK", 'qtest answered "" where a number belongs'],
    ["FAIL Unknown command", 'qtest answered "FAIL Unknown command"'],
  ])("prints rubbish: %s", async (line, expected) => {
    const { path } = program(`${MONITOR(7)}
      serve(qtest, (socket) => socket.on("data", () => socket.write(${JSON.stringify(`${line}\n`)})));`);
    const qemu = await QemuProcess.start({
      program: path,
      map: false,
      startTimeout: PATIENCE,
      answerTimeout: PATIENCE,
    });
    onTestFinished(() => qemu.close());
    await expect(read(qemu)).rejects.toThrow(expected);
  });
  it("says what nobody asked", async () => {
    const body = `serve(qtest, (socket) => socket.write("OK 1\\n"));`;
    const text = await failureLater(body, async (qemu) => {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await read(qemu);
    });
    expect(text).toContain('qtest said "OK 1", and nothing had been asked');
  });
  it("is too old for a probe, which says so and leaves nothing behind", async () => {
    const { path, pidFile } = program(
      `${MONITOR(5)}\nserve(qtest, (socket) => socket.on("data", () => socket.write("OK\\n")));`,
    );
    const probing = probe({ machine: "microvm", arguments: [], program: path });
    await expect(probing).rejects.toThrow("QEMU 5.2.0 is too old; 6.0 or newer is needed");
    expect(isRunning(Number(readFileSync(pidFile, "utf8")))).toBe(false);
  });
});

describe("QemuProcess", () => {
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
    expect(await failure(`setInterval(() => {}, 1000);`, 5000)).toMatch(/does not (answer|open its sockets)/);
    expect(await failure(`serve(qtest, () => {}); serve(qmp, () => {});`, 10_000)).toContain("QEMU does not answer");
  });
  it("refuses rubbish", async () => {
    const text = await failure(`serve(qtest, () => {}); serve(qmp, (socket) => socket.write("HTTP/1.1 200 OK\\n"));`);
    expect(text).toContain('QMP said "HTTP/1.1 200 OK", which is no JSON');
  });
});
