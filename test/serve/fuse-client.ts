import { FsDriver } from "../../generated/fs.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { type SharedDirectoryOptions, openSharedDirectory } from "../../src/serve/shared-directory.js";

/** Numbers of FUSE, here once more on their own. */
export const Op = {
  ...{
    LOOKUP: 1,
    FORGET: 2,
    GETATTR: 3,
    SETATTR: 4,
    READLINK: 5,
    SYMLINK: 6,
    MKNOD: 8,
    MKDIR: 9,
    UNLINK: 10,
    RMDIR: 11,
  },
  ...{
    RENAME: 12,
    LINK: 13,
    OPEN: 14,
    READ: 15,
    WRITE: 16,
    STATFS: 17,
    RELEASE: 18,
    FSYNC: 20,
    GETXATTR: 22,
    INIT: 26,
  },
  ...{ OPENDIR: 27, READDIR: 28, RELEASEDIR: 29, CREATE: 35, BATCH_FORGET: 42 },
};

type Part =
  | { readonly u32: number }
  | { readonly u64: number | bigint }
  | { readonly name: string }
  | { readonly data: Uint8Array };

export function pack(...parts: readonly Part[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) => {
      if ("name" in part) return Buffer.from(`${part.name}\0`);
      if ("data" in part) return Buffer.from(part.data);
      const bytes = Buffer.alloc("u32" in part ? 4 : 8);
      if ("u32" in part) bytes.writeUInt32LE(part.u32);
      else bytes.writeBigUInt64LE(BigInt(part.u64));
      return bytes;
    }),
  );
}

export interface Reply {
  /** 0 or a negative errno. */
  readonly error: number;
  readonly unique: bigint;
  readonly data: Buffer;
}

/** A guest that speaks FUSE by hand. */
export async function openClient(options: SharedDirectoryOptions) {
  const shared = openSharedDirectory(options);
  const driver = await FsDriver.start(loopback(shared.device), { cut: { readable: 50, writable: 90 } });
  let unique = 0n;

  function header(opcode: number, node: number | bigint, length: number): Uint8Array {
    unique += 2n;
    return pack(
      { u32: 40 + length },
      { u32: opcode },
      { u64: unique },
      { u64: node },
      { u32: 0 },
      { u32: 0 },
      { u32: 1 },
      { u32: 0 },
    );
  }

  async function call(
    opcode: number,
    node: number | bigint,
    args: Uint8Array = new Uint8Array(0),
    room = 4096,
  ): Promise<Reply> {
    const queue = driver.requestQueues[0];
    if (queue === undefined) throw new Error("there is no queue");
    const reply = await queue.submit({ in: header(opcode, node, args.length), datain: args, dataout: room });
    const out = Buffer.from(reply.out);
    const data = Buffer.from(reply.dataout).subarray(0, out.readUInt32LE(0) - 16);
    return { error: out.readInt32LE(4), unique: out.readBigUInt64LE(8), data };
  }

  return {
    shared,
    driver,
    call,
    urgent: (opcode: number, node: number | bigint, args: Uint8Array) =>
      driver.hiprio.submit({ in: header(opcode, node, args.length), datain: args }),
    lookUp: (parent: number | bigint, name: string) => call(Op.LOOKUP, parent, pack({ name })),
    async stop() {
      await driver.stop();
      await shared.close();
    },
  };
}
