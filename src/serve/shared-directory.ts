import { readSync, writeSync } from "node:fs";
import { FsDevice, type FsHighPriority, type FsRequest } from "../../generated/fs.js";
import { ReadableBytes, type Completion } from "../runtime/index.js";
import { FileSystem } from "./fuse/file-system.js";
import { Arguments, outHeader, readHeader, writeOut, type FuseHeader } from "./fuse/messages.js";
import { Errno, FuseError, Opcode } from "./fuse/numbers.js";
import { fileProblem, type ServedDevice, type ServedDeviceOptions } from "./served-device.js";

/** READ and WRITE have 40 bytes of arguments; the data of WRITE is behind them. */
const TRANSFER_ARGUMENTS = 40;
/** Longest arguments of any other request. Linux needs two names and some numbers, and long lists in BATCH_FORGET. */
const MOST_ARGUMENTS = 1 << 16;

export interface SharedDirectoryOptions extends ServedDeviceOptions {
  readonly path: string;
  /** What the guest mounts; `virtio-gen` if absent. At most 36 bytes. */
  readonly tag?: string;
  readonly readOnly?: boolean;
  /** Request queues; 1 if absent. */
  readonly queues?: number;
}

/**
 * A directory of the host, for the guest to mount: `mount -t virtiofs TAG /mnt`. Nothing outside of the directory can be
 * reached, whatever symbolic links are in it: the guest follows them, never this side.
 *
 * @throws ServeError when the directory cannot be opened.
 */
export function openSharedDirectory(options: SharedDirectoryOptions): ServedDevice {
  const { path, readOnly = false } = options;
  let files: FileSystem;
  try {
    files = new FileSystem({ path, readOnly });
  } catch (error) {
    throw fileProblem(path, error);
  }
  const data = new ReadableBytes();
  let served = 0;

  function serve(request: FsRequest): Completion {
    served++;
    const header = readHeader(request.in);
    try {
      const length = answer(request, header);
      return request.complete({ out: outHeader(header.unique, 0, length) });
    } catch (error) {
      return request.complete({ out: outHeader(header.unique, errnoOf(error), 0) });
    }
  }

  /** Writes the result and returns its length. */
  function answer(request: FsRequest, header: FuseHeader): number {
    if (header.opcode === Opcode.READ) return read(request);
    const result = header.opcode === Opcode.WRITE ? write(request) : files.serve(header, argumentsOf(request.datain));
    if (result.length > request.dataout.length) throw new FuseError(Errno.EPROTO);
    return request.dataout.write(result);
  }

  function read({ datain, dataout }: FsRequest): number {
    const args = transferOf(datain);
    const target = files.files.file(args.u64());
    let position = args.size();
    let left = Math.min(args.u32(), dataout.length);
    let done = 0;
    for (let index = 0; left > 0; index++) {
      const part = Math.min(left, dataout.segmentLength(index));
      if (part === 0) break;
      const count = readSync(target, dataout.segmentBytes(index), dataout.segmentOffset(index), part, position);
      done += count;
      position += count;
      left = count < part ? 0 : left - count;
    }
    dataout.wrote(done);
    return done;
  }

  function write({ datain }: FsRequest): Uint8Array {
    if (readOnly) throw new FuseError(Errno.EROFS);
    const args = transferOf(datain);
    const target = files.files.file(args.u64());
    const position = args.size();
    const size = args.u32();
    data.window(datain, TRANSFER_ARGUMENTS, size);
    if (data.length !== size) throw new FuseError(Errno.EPROTO);
    let done = 0;
    for (let index = 0; done < size; index++) {
      const [bytes, offset, part] = [data.segmentBytes(index), data.segmentOffset(index), data.segmentLength(index)];
      const count = writeSync(target, bytes, offset, part, position + done);
      done += count;
      if (count < part) break;
    }
    return writeOut(done);
  }

  function urgent(request: FsHighPriority): Completion {
    served++;
    const header = readHeader(request.in);
    try {
      const args = argumentsOf(request.datain);
      if (header.opcode === Opcode.FORGET) files.inodes.forget(header.node, args.u64());
      else if (header.opcode === Opcode.BATCH_FORGET) forgetMany(args);
      // Requests are served at once: there is nothing to interrupt.
    } catch (error) {
      report(error);
    }
    return request.complete({});
  }

  function forgetMany(args: Arguments): void {
    const count = args.u32();
    args.skip(4);
    // Bounded by the length of the arguments.
    for (let left = count; left > 0; left--) files.inodes.forget(args.u64(), args.u64());
  }

  function report(error: unknown): void {
    options.onError?.(error instanceof Error ? error : new Error(String(error)));
  }

  function errnoOf(error: unknown): number {
    if (error instanceof FuseError) return error.errno;
    if (error instanceof Error && "errno" in error && typeof error.errno === "number" && error.errno < 0)
      return -error.errno;
    report(error);
    return Errno.EIO;
  }

  const device = new FsDevice({
    ...(options.features && { features: options.features }),
    config: { tag: options.tag ?? "virtio-gen", numRequestQueues: options.queues ?? 1, notifyBufSize: 0 },
    hiprio: urgent,
    requestQueue: serve,
  });
  device.onProtocolError = options.onError;
  return {
    device,
    unit: "requests",
    get served() {
      return served;
    },
    close() {
      files.close();
      return Promise.resolve();
    },
  };
}

function argumentsOf(datain: ReadableBytes): Arguments {
  if (datain.length > MOST_ARGUMENTS) throw new FuseError(Errno.EPROTO);
  return new Arguments(datain.toUint8Array());
}

/** The arguments of READ and WRITE: a copy of their own, as the guest can change what is in the buffer. */
function transferOf(datain: ReadableBytes): Arguments {
  const bytes = new Uint8Array(TRANSFER_ARGUMENTS);
  if (datain.read(bytes) < TRANSFER_ARGUMENTS) throw new FuseError(Errno.EPROTO);
  return new Arguments(bytes);
}
