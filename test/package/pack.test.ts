import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

/** What an author writes who has nothing but the installed package. */
const PROGRAM = `
import { BlkDevice, BlkDriver } from "virtio-gen/devices/blk";
import { loopback } from "virtio-gen/runtime/loopback";

const disk = new Uint8Array(1 << 20);
const device = new BlkDevice({
  features: ["FLUSH"],
  config: { capacity: BigInt(disk.length / 512) },
  requestq(request) {
    switch (request.type) {
      case "IN":
        request.data.write(disk, request.sectorNumber * 512);
        return request.complete("OK");
      case "OUT":
        request.data.read(disk, request.sectorNumber * 512);
        return request.complete("OK");
      default:
        return request.complete("UNSUPP");
    }
  },
});
const blk = await BlkDriver.start(loopback(device), { features: ["FLUSH"] });
await blk.requestq.submit({ type: "OUT", sector: 3n, data: new Uint8Array(512).fill(7) });
const { status, data } = await blk.requestq.submit({ type: "IN", sector: 3n, data: 512 });
console.log(status, data.every((byte) => byte === 7));
await blk.stop();
`;

const TSCONFIG = {
  compilerOptions: { strict: true, target: "ES2023", lib: ["ES2023", "DOM"], module: "NodeNext", types: [] },
  include: ["*.ts"],
};

describe("the package, installed from its tarball into an empty project", () => {
  let project = "";
  const run = (command: string, ...rest: string[]): string =>
    execFileSync(command, rest, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), "virtio-gen-pack-"));
    const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", project], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    const tarball = packed.trim().split("\n").at(-1) ?? "";
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", type: "module", private: true }));
    run(
      "npm",
      "install",
      "--prefer-offline",
      "--fetch-retries=5",
      "--no-audit",
      "--no-fund",
      "--silent",
      join(project, tarball),
    );
  }, 900_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it("has a command that works", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(run("npx", "virtio-gen", "--version").trim()).toBe(version);
    run("npx", "virtio-gen", "new", "gadget");
    run("npx", "virtio-gen", "build", "gadget.virtio", "--out", ".");
    expect(run("npx", "virtio-gen", "explain", "VG2001")).toContain("VG2001");
  }, 900_000);

  it("has devices and a runtime whose types and code work", () => {
    writeFileSync(join(project, "program.ts"), PROGRAM);
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(TSCONFIG));
    execFileSync(process.execPath, [tsc], { cwd: project, stdio: "inherit" });
    expect(run(process.execPath, "program.js").trim()).toBe("OK true");
  }, 900_000);

  it("ships the definitions, the schema and the pages of the messages", () => {
    const folder = join(project, "node_modules", "virtio-gen");
    expect(readFileSync(join(folder, "dsl", "blk.virtio"), "utf8")).toContain("device blk = 2");
    expect(JSON.parse(readFileSync(join(folder, "schema", "model.schema.json"), "utf8"))).toHaveProperty("$schema");
    expect(readFileSync(join(folder, "docs", "diagnostics", "VG2001.md"), "utf8")).toContain("VG2001");
  });
});
