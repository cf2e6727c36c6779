import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { SharedDirectoryOptions } from "../../src/serve/shared-directory.js";
import { openFiles } from "../runtime/fixtures/process-state.js";
import { temporaryFolder } from "./folder.js";
import { Op, openClient, pack } from "./fuse-client.js";
import "../seed.js";

const ROOT = 1;
const RDWR = 2;
const [ENOENT, EBADF, ENXIO, EINVAL, EROFS, ENOSYS, EPROTO] = [-2, -9, -6, -22, -30, -38, -71];

async function start(options: Partial<SharedDirectoryOptions> = {}) {
  const folder = temporaryFolder();
  const path = join(folder, "shared");
  mkdirSync(path);
  writeFileSync(join(folder, "secret"), "not for the guest");
  const client = await openClient({ path, ...options });
  onTestFinished(() => client.stop());
  const init = await client.call(Op.INIT, 0, pack({ u32: 7 }, { u32: 36 }, { u32: 65536 }, { u32: 0xffff_ffff }));
  expect([init.error, init.data.readUInt32LE(0), init.data.readUInt32LE(4)]).toEqual([0, 7, 31]);
  return { ...client, folder, path };
}

/** Opens a name of the root for reading and writing; gives node and handle. */
async function create(client: Awaited<ReturnType<typeof start>>, name: string) {
  const reply = await client.call(
    Op.CREATE,
    ROOT,
    pack({ u32: RDWR }, { u32: 0o100644 }, { u32: 0o022 }, { u32: 0 }, { name }),
  );
  expect(reply.error).toBe(0);
  return { node: reply.data.readBigUInt64LE(0), handle: reply.data.readBigUInt64LE(128) };
}
const transfer = (handle: bigint, offset: number | bigint, size: number) =>
  pack({ u64: handle }, { u64: offset }, { u32: size }, { u32: 0 }, { u64: 0 }, { u32: 0 }, { u32: 0 });

test("a file is made, written, read, and seen on the host; its attributes are those of the host", async () => {
  const client = await start();
  const { call, path } = client;
  const { node, handle } = await create(client, "notes.txt");
  const text = "0123456789".repeat(100);
  const written = await call(Op.WRITE, node, Buffer.concat([transfer(handle, 3, 1000), Buffer.from(text)]));
  expect([written.error, written.data.readUInt32LE(0)]).toEqual([0, 1000]);
  expect(readFileSync(join(path, "notes.txt"), "latin1")).toBe(`\0\0\0${text}`);
  const read = await call(Op.READ, node, transfer(handle, 500, 4096));
  expect(read.data.toString("latin1")).toBe(text.slice(497));
  expect((await call(Op.READ, node, transfer(handle, 5000, 10))).data).toHaveLength(0);
  const attr = await call(Op.GETATTR, node, pack({ u32: 0 }, { u32: 0 }, { u64: 0 }));
  const stat = statSync(join(path, "notes.txt"));
  expect(Number(attr.data.readBigUInt64LE(16))).toBe(stat.ino);
  expect(Number(attr.data.readBigUInt64LE(24))).toBe(1003);
  expect(attr.data.readUInt32LE(16 + 60)).toBe(stat.mode);
  expect(Number(attr.data.readBigUInt64LE(16 + 32))).toBe(Math.floor(stat.mtimeMs / 1000));
  expect((await call(Op.FSYNC, node, pack({ u64: handle }, { u32: 0 }, { u32: 0 }))).error).toBe(0);
  expect((await call(Op.RELEASE, node, pack({ u64: handle }, { u32: 0 }, { u32: 0 }, { u64: 0 }))).error).toBe(0);
  expect((await call(Op.READ, node, transfer(handle, 0, 10))).error).toBe(EBADF);
});

test("size, mode and times are set", async () => {
  const client = await start();
  const { node } = await create(client, "file");
  const MODE_SIZE_MTIME = 1 | 8 | 32;
  const args = pack(
    ...[
      { u32: MODE_SIZE_MTIME },
      { u32: 0 },
      { u64: 0 },
      { u64: 77 },
      { u64: 0 },
      { u64: 0 },
      { u64: 1_000_000_000 },
      { u64: 0 },
    ],
    ...[
      { u32: 0 },
      { u32: 500_000_000 },
      { u32: 0 },
      { u32: 0o100600 },
      { u32: 0 },
      { u32: 0 },
      { u32: 0 },
      { u32: 0 },
    ],
  );
  const reply = await client.call(Op.SETATTR, node, args);
  expect(reply.error).toBe(0);
  const stat = statSync(join(client.path, "file"));
  expect([stat.size, stat.mode & 0o7777, stat.mtimeMs]).toEqual([77, 0o600, 1_000_000_000_500]);
  expect(Number(reply.data.readBigUInt64LE(24))).toBe(77);
});

test("directories: make, list in parts, rename, remove", async () => {
  const { call, lookUp, path } = await start();
  const made = await call(Op.MKDIR, ROOT, pack({ u32: 0o755 }, { u32: 0 }, { name: "sub" }));
  expect(made.error).toBe(0);
  const sub = made.data.readBigUInt64LE(0);
  for (const name of ["one", "two", "three"]) writeFileSync(join(path, "sub", name), name);
  const opened = await call(Op.OPENDIR, sub, pack({ u32: 0 }, { u32: 0 }));
  const handle = opened.data.readBigUInt64LE(0);
  const names: string[] = [];
  for (let offset = 0; ;) {
    const { data, error } = await call(Op.READDIR, sub, transfer(handle, offset, 64), 64);
    expect(error).toBe(0);
    if (data.length === 0) break;
    for (let at = 0; at < data.length;) {
      const length = data.readUInt32LE(at + 16);
      names.push(data.toString("latin1", at + 24, at + 24 + length));
      offset = Number(data.readBigUInt64LE(at + 8));
      at += (24 + length + 7) & ~7;
    }
  }
  expect(names.sort()).toEqual([".", "..", "one", "three", "two"]);
  expect((await call(Op.RMDIR, ROOT, pack({ name: "sub" }))).error).toBe(-39);
  expect((await call(Op.RENAME, sub, pack({ u64: ROOT }, { name: "one" }, { name: "uno" }))).error).toBe(0);
  expect(readdirSync(path).sort()).toEqual(["sub", "uno"]);
  expect((await call(Op.UNLINK, sub, pack({ name: "two" }))).error).toBe(0);
  expect((await lookUp(sub, "two")).error).toBe(ENOENT);
  // The node stays what it is when its name changes.
  expect((await call(Op.RENAME, ROOT, pack({ u64: ROOT }, { name: "sub" }, { name: "other" }))).error).toBe(0);
  expect((await lookUp(sub, "three")).error).toBe(0);
});

test("symbolic links are made and read, and never followed on this side", async () => {
  const { call, lookUp, path } = await start();
  expect((await call(Op.SYMLINK, ROOT, pack({ name: "out" }, { name: "../secret" }))).error).toBe(0);
  expect(readlinkSync(join(path, "out"))).toBe("../secret");
  const found = await lookUp(ROOT, "out");
  const node = found.data.readBigUInt64LE(0);
  expect(found.data.readUInt32LE(40 + 60) & 0o170000).toBe(0o120000);
  expect((await call(Op.READLINK, node)).data.toString()).toBe("../secret");
  expect((await call(Op.OPEN, node, pack({ u32: 0 }, { u32: 0 }))).error).toBe(ENXIO);
  const create = pack({ u32: RDWR }, { u32: 0o100644 }, { u32: 0 }, { u32: 0 }, { name: "out" });
  expect((await call(Op.CREATE, ROOT, create)).error).toBe(-40);
  symlinkSync("..", join(path, "up"));
  const up = (await lookUp(ROOT, "up")).data.readBigUInt64LE(0);
  expect((await lookUp(up, "secret")).error).toBe(-20);
});

test.each(["..", ".", "", "../secret", "a/b", "/etc/passwd"])("the name %j leads nowhere", async (name) => {
  const { call, lookUp, folder } = await start();
  const before = readFileSync(join(folder, "secret"), "latin1");
  expect((await lookUp(ROOT, name)).error).toBe(EINVAL);
  expect((await call(Op.UNLINK, ROOT, pack({ name }))).error).toBe(EINVAL);
  expect((await call(Op.MKDIR, ROOT, pack({ u32: 0 }, { u32: 0 }, { name }))).error).toBe(EINVAL);
  expect(readFileSync(join(folder, "secret"), "latin1")).toBe(before);
});

test("a hard link is another name of the same node", async () => {
  const client = await start();
  const { node } = await create(client, "first");
  const reply = await client.call(Op.LINK, ROOT, pack({ u64: node }, { name: "second" }));
  expect([reply.error, reply.data.readBigUInt64LE(0)]).toEqual([0, node]);
  expect(statSync(join(client.path, "second")).nlink).toBe(2);
  linkSync(join(client.path, "first"), join(client.path, "third"));
  expect((await client.lookUp(ROOT, "third")).data.readBigUInt64LE(0)).toBe(node);
});

test("a pipe is not opened here, where that could wait for ever", async () => {
  const { call, lookUp, path } = await start();
  execFileSync("mkfifo", [join(path, "pipe")]);
  const node = (await lookUp(ROOT, "pipe")).data.readBigUInt64LE(0);
  expect((await call(Op.OPEN, node, pack({ u32: 0 }, { u32: 0 }))).error).toBe(ENXIO);
});

test("what was looked up often enough is forgotten, and its file closed", async () => {
  const { urgent, lookUp, call, path } = await start();
  writeFileSync(join(path, "file"), "");
  const before = openFiles();
  const node = (await lookUp(ROOT, "file")).data.readBigUInt64LE(0);
  await lookUp(ROOT, "file");
  expect(openFiles()).toBe(before + 1);
  await urgent(Op.FORGET, node, pack({ u64: 1 }));
  expect((await call(Op.GETATTR, node)).error).toBe(0);
  await urgent(
    Op.BATCH_FORGET,
    0,
    pack({ u32: 2 }, { u32: 0 }, { u64: node }, { u64: 1 }, { u64: ROOT }, { u64: 1000 }),
  );
  expect((await call(Op.GETATTR, node)).error).toBe(ENOENT);
  expect((await call(Op.GETATTR, ROOT)).error).toBe(0);
  expect(openFiles()).toBe(before);
});

test("a read-only directory refuses changes", async () => {
  const { call, lookUp, path } = await start({ readOnly: true });
  writeFileSync(join(path, "file"), "text");
  const node = (await lookUp(ROOT, "file")).data.readBigUInt64LE(0);
  expect((await call(Op.OPEN, node, pack({ u32: RDWR }, { u32: 0 }))).error).toBe(EROFS);
  expect((await call(Op.UNLINK, ROOT, pack({ name: "file" }))).error).toBe(EROFS);
  expect((await call(Op.MKDIR, ROOT, pack({ u32: 0 }, { u32: 0 }, { name: "new" }))).error).toBe(EROFS);
  const handle = (await call(Op.OPEN, node, pack({ u32: 0 }, { u32: 0 }))).data.readBigUInt64LE(0);
  expect((await call(Op.WRITE, node, Buffer.concat([transfer(handle, 0, 1), Buffer.from("x")]))).error).toBe(EROFS);
  expect((await call(Op.READ, node, transfer(handle, 0, 10))).data.toString()).toBe("text");
  expect(readFileSync(join(path, "file"), "latin1")).toBe("text");
});

test("what is not served, cut short, or known to nobody is an error in the reply", async () => {
  const client = await start();
  const { call } = client;
  const { handle } = await create(client, "file");
  expect((await call(Op.GETXATTR, ROOT, pack({ u32: 0 }, { u32: 0 }, { name: "user.x" }))).error).toBe(ENOSYS);
  expect((await call(Op.LOOKUP, ROOT, Buffer.from("no end"))).error).toBe(EPROTO);
  expect((await call(Op.READ, ROOT, transfer(handle, 0, 10).subarray(0, 20))).error).toBe(EPROTO);
  expect((await call(Op.READ, ROOT, transfer(handle, 2n ** 63n, 10))).error).toBe(EINVAL);
  expect((await call(Op.WRITE, ROOT, transfer(handle, 0, 100))).error).toBe(EPROTO);
  expect((await call(Op.GETATTR, 999)).error).toBe(ENOENT);
  expect((await call(Op.STATFS, ROOT)).error).toBe(0);
  // A reply that the buffer has no room for.
  expect((await call(Op.GETATTR, ROOT, pack(), 10)).error).toBe(EPROTO);
});

test("a second INIT finds nothing open", async () => {
  const client = await start();
  const { node, handle } = await create(client, "file");
  await client.call(Op.INIT, 0, pack({ u32: 7 }, { u32: 31 }, { u32: 0 }, { u32: 0 }));
  expect((await client.call(Op.READ, node, transfer(handle, 0, 1))).error).toBe(EBADF);
  expect((await client.lookUp(ROOT, "file")).error).toBe(0);
});

test("any operation with any arguments: one reply, and nothing outside is touched", async () => {
  const { call, folder, path } = await start();
  const errors: number[] = [];
  const anything = fc.asyncProperty(
    fc.integer({ min: 0, max: 60 }),
    fc.nat(20),
    fc.uint8Array({ maxLength: 200 }),
    async (op, node, args) => {
      const { error } = await call(op, node, args, 256);
      errors.push(error);
      expect(error).toBeLessThanOrEqual(0);
      expect(error).toBeGreaterThan(-200);
    },
  );
  await fc.assert(anything, { numRuns: 300 });
  expect(new Set(errors).size).toBeGreaterThan(2);
  expect(readdirSync(folder).sort()).toEqual(["secret", "shared"]);
  expect(existsSync(path)).toBe(true);
});
