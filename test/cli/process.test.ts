import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { definition, Workspace } from "./workspace.js";

// What only a process of its own can show; everything else is tested in this one, which is quicker.
const root = fileURLToPath(new URL("../../", import.meta.url));
const tsx = import.meta.resolve("tsx");
const node = ["--import", tsx, "--conditions=virtio-gen-source", join(root, "src/cli/main.ts")];

it("reads the standard input, writes to the right streams, and ends with the exit code", () => {
  const space = new Workspace();
  const good = spawnSync(process.execPath, [...node, "model", "-"], {
    cwd: space.folder,
    input: definition("alpha", 60),
    encoding: "utf8",
  });
  expect(good.stderr).toBe("");
  expect(JSON.parse(good.stdout)).toMatchObject({ devices: [{ name: "alpha" }] });
  expect(good.status).toBe(0);

  const bad = spawnSync(process.execPath, [...node, "check", "nowhere"], { cwd: space.folder, encoding: "utf8" });
  expect(bad.stdout).toBe("");
  expect(bad.stderr).toContain("error[VG9002]: there is no file or folder nowhere");
  expect(bad.status).toBe(1);
}, 300_000);

it("stops watching at SIGINT with 0", async () => {
  const space = new Workspace({ "alpha.virtio": definition("alpha", 60) });
  const child = spawn(process.execPath, [...node, "build", "--watch"], { cwd: space.folder });
  let printed = "";
  const status = await new Promise((resolve) => {
    child.stdout.on("data", (data: Buffer) => {
      printed += data.toString();
      if (printed.includes("Ctrl-C stops")) child.kill("SIGINT");
    });
    child.on("exit", (code, signal) => resolve(code ?? signal));
  });
  expect(status).toBe(0);
}, 300_000);

it("does not mind a reader that stops reading", () => {
  const space = new Workspace({ "alpha.virtio": definition("alpha", 60) });
  const command = [process.execPath, ...node, "explain"].map((word) => `'${word}'`).join(" ");
  const { stderr } = spawnSync("sh", ["-c", `${command} | head -1`], { cwd: space.folder, encoding: "utf8" });
  expect(stderr).toBe("");
}, 300_000);
