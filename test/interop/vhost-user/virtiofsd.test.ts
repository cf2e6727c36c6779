import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FS_DEVICE_ID, FsDriver } from "../../../generated/fs.js";
import { connect } from "../../../src/runtime/transport/vhost-user/front-end/index.js";
import { loadKoffi } from "../../../src/runtime/transport/posix/koffi.js";
import { requirePeer } from "../peers.js";
import { withFolder } from "../qemu/machine.js";
import { missingProgram, withPeer } from "./peer-process.js";

const PROGRAM = "/usr/lib/qemu/virtiofsd";
/** Opcodes of FUSE. */
const Op = { LOOKUP: 1, OPEN: 14, READ: 15, WRITE: 16, RELEASE: 18, INIT: 26 } as const;
const ROOT = 1n;
const O_RDWR = 2;
const ENOENT = 2;

/** Speaks FUSE through the driver: just enough to read and to write a file. */
class FuseClient {
  readonly #driver: FsDriver;
  #unique = 1n;

  constructor(driver: FsDriver) {
    this.#driver = driver;
  }

  /** Gives what follows the header of the response. A negative number is an error of the server. */
  async call(opcode: number, node: bigint, argument: Uint8Array, room: number): Promise<Buffer | number> {
    const unique = this.#unique++;
    const header = Buffer.alloc(40);
    header.writeUInt32LE(40 + argument.length, 0);
    header.writeUInt32LE(opcode, 4);
    header.writeBigUInt64LE(unique, 8);
    header.writeBigUInt64LE(node, 16);
    const { out, dataout } = await this.#driver.requestQueue.submit({ in: header, datain: argument, dataout: room });
    const answer = Buffer.from(out);
    expect(answer.readBigUInt64LE(8)).toBe(unique);
    const error = answer.readInt32LE(4);
    if (error < 0) return error;
    const body = Buffer.from(dataout);
    expect(answer.readUInt32LE(0)).toBe(16 + body.length);
    return body;
  }

  async get(opcode: number, node: bigint, argument: Uint8Array, room: number): Promise<Buffer> {
    const body = await this.call(opcode, node, argument, room);
    if (typeof body === "number") throw new Error(`operation ${opcode} failed with ${body}`);
    return body;
  }

  async initialize(): Promise<Buffer> {
    const argument = Buffer.alloc(16);
    argument.writeUInt32LE(7, 0);
    argument.writeUInt32LE(31, 4);
    argument.writeUInt32LE(1 << 20, 8);
    return await this.get(Op.INIT, 0n, argument, 64);
  }
  async lookUp(name: string): Promise<{ readonly node: bigint; readonly size: bigint } | number> {
    const body = await this.call(Op.LOOKUP, ROOT, Buffer.from(`${name}\0`), 128);
    return typeof body === "number" ? body : { node: body.readBigUInt64LE(0), size: body.readBigUInt64LE(48) };
  }
  async open(node: bigint): Promise<bigint> {
    const argument = Buffer.alloc(8);
    argument.writeUInt32LE(O_RDWR, 0);
    return (await this.get(Op.OPEN, node, argument, 16)).readBigUInt64LE(0);
  }
  async read(node: bigint, handle: bigint, offset: number, length: number): Promise<Buffer> {
    return await this.get(Op.READ, node, transfer(handle, offset, length), length);
  }
  async write(node: bigint, handle: bigint, offset: number, bytes: Uint8Array): Promise<number> {
    const argument = Buffer.concat([transfer(handle, offset, bytes.length), bytes]);
    return (await this.get(Op.WRITE, node, argument, 8)).readUInt32LE(0);
  }
  async release(node: bigint, handle: bigint): Promise<void> {
    const argument = Buffer.alloc(24);
    argument.writeBigUInt64LE(handle, 0);
    await this.get(Op.RELEASE, node, argument, 0);
  }
}

/** `fuse_read_in` and `fuse_write_in` are alike as far as they are filled in here. */
function transfer(handle: bigint, offset: number, length: number): Buffer {
  const argument = Buffer.alloc(40);
  argument.writeBigUInt64LE(handle, 0);
  argument.writeBigUInt64LE(BigInt(offset), 8);
  argument.writeUInt32LE(length, 16);
  return argument;
}

/** The configuration space, which is the front end's here. */
function configuration(tag: string, queues: number): Buffer {
  const config = Buffer.alloc(40);
  config.write(tag, 0, "utf8");
  config.writeUInt32LE(queues, 36);
  return config;
}

const peer = await requirePeer("virtiofsd (qemu-system-common), as root", async () => {
  if ((await loadKoffi()) === undefined) return "koffi is not installed";
  if (process.getuid?.() !== 0) return "it has to be started by root";
  return missingProgram(PROGRAM);
});

describe.runIf(peer)("the generated file system driver with virtiofsd", { timeout: 900_000 }, () => {
  it("looks up, opens, reads and writes files", async () => {
    await withFolder(async (folder) => {
      const [shared, socket] = [join(folder, "shared"), join(folder, "socket")];
      const contents = randomBytes(300_000);
      await mkdir(shared);
      await writeFile(join(shared, "file"), contents);
      await withPeer(PROGRAM, [`--socket-path=${socket}`, "-o", `source=${shared},cache=none`], socket, async () => {
        const config = configuration("shared", 1);
        const transport = await connect(socket, { deviceId: FS_DEVICE_ID, config });
        try {
          const driver = await FsDriver.start(transport);
          expect(driver.config.tag).toBe("shared");
          const fuse = new FuseClient(driver);
          expect((await fuse.initialize()).readUInt32LE(0)).toBe(7);
          expect(await fuse.lookUp("no such file")).toBe(-ENOENT);
          const found = await fuse.lookUp("file");
          if (typeof found === "number") throw new Error(`not found: ${found}`);
          expect(found.size).toBe(BigInt(contents.length));
          const handle = await fuse.open(found.node);
          const pieces: Buffer[] = [];
          for (let at = 0; at < contents.length; at += 65536) {
            pieces.push(await fuse.read(found.node, handle, at, Math.min(65536, contents.length - at)));
          }
          expect(Buffer.compare(Buffer.concat(pieces), contents)).toBe(0);
          expect(await fuse.read(found.node, handle, contents.length, 4096)).toHaveLength(0);
          const written = randomBytes(10_000);
          expect(await fuse.write(found.node, handle, 123, written)).toBe(written.length);
          await fuse.release(found.node, handle);
          const after = Buffer.from(contents);
          written.copy(after, 123);
          expect(Buffer.compare(await readFile(join(shared, "file")), after)).toBe(0);
          await driver.stop();
        } finally {
          transport.close();
        }
      });
    });
  });
});
