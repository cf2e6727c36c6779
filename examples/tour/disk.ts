import { createHash } from "node:crypto";
import { closeSync, fsyncSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { BlkDevice, BlkDriver, type BlkRequest } from "virtio-gen/devices/blk";
import { loopback } from "virtio-gen/runtime/loopback";
import { heading, line, mebibytes } from "../shared/terminal.js";
import { realFile } from "./real-file.js";
import { Recorder } from "./trace.js";

const SECTOR = 512;
const PIECE = 64 * 1024;
const IN_FLIGHT = 16;

/** The device side of a disk whose sectors are in a file. Data moves between file and guest memory without a copy. */
function createFileDisk(file: number, size: number): BlkDevice {
  const inside = (request: Extract<BlkRequest, { type: "IN" | "OUT" }>): boolean =>
    request.data.length % SECTOR === 0 && request.sectorNumber * SECTOR + request.data.length <= size;
  return new BlkDevice({
    features: ["FLUSH", "SEG_MAX"],
    config: { capacity: BigInt(size / SECTOR), segMax: 126 },
    requestq(request) {
      switch (request.type) {
        case "IN":
          if (!inside(request)) return request.complete("IOERR");
          transfer(request, (bytes, position) => readSync(file, bytes, 0, bytes.length, position));
          return request.complete("OK");
        case "OUT":
          if (!inside(request)) return request.complete("IOERR");
          transfer(request, (bytes, position) => writeSync(file, bytes, 0, bytes.length, position));
          return request.complete("OK");
        case "FLUSH":
          fsyncSync(file);
          return request.complete("OK");
        case "GET_ID":
          return request.complete({ id: "virtio-gen tour", status: "OK" });
        default:
          return request.complete("UNSUPP");
      }
    },
  });
}

function transfer(
  request: Extract<BlkRequest, { type: "IN" | "OUT" }>,
  move: (bytes: Uint8Array, position: number) => number,
): void {
  let position = request.sectorNumber * SECTOR;
  for (let index = 0; index < request.data.segmentCount; index += 1) {
    const bytes = request.data.segment(index);
    for (let done = 0; done < bytes.length;) done += move(bytes.subarray(done), position + done);
    position += bytes.length;
  }
}

/** Runs `action` for each piece, several at a time. */
async function inPieces(size: number, action: (start: number, length: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < size) {
      const start = next;
      next += PIECE;
      await action(start, Math.min(PIECE, size - start));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Writes a real file to a disk image through the ring, reads it back, and compares. */
export async function tourDisk(): Promise<void> {
  heading("blk: a disk image, written and read back through a virtqueue");
  const { name, bytes } = realFile();
  const size = Math.ceil(bytes.length / SECTOR) * SECTOR;
  const padded = Buffer.alloc(size);
  bytes.copy(padded);

  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-"));
  const image = openSync(join(folder, "disk.img"), "w+");
  try {
    ftruncateSync(image, size);
    const recorder = new Recorder();
    const device = createFileDisk(image, size);
    const disk = await BlkDriver.start(loopback(device, { trace: recorder.trace }), { features: ["FLUSH", "SEG_MAX"] });
    line("disk", `${mebibytes(size)} in an image file, ${disk.config.capacity.toString()} sectors`);
    line("file", `${basename(name)}, ${mebibytes(bytes.length)}`);

    const started = performance.now();
    await inPieces(size, async (start, length) => {
      const data = padded.subarray(start, start + length);
      const { status } = await disk.requestq.submit({ type: "OUT", sector: BigInt(start / SECTOR), data });
      if (status !== "OK") throw new Error(`writing at byte ${String(start)} failed: ${String(status)}`);
    });
    await disk.requestq.submit({ type: "FLUSH", sector: 0n });
    const written = performance.now();
    const back = Buffer.alloc(size);
    await inPieces(size, async (start, length) => {
      const reply = await disk.requestq.submit({ type: "IN", sector: BigInt(start / SECTOR), data: length });
      if (reply.status !== "OK") throw new Error(`reading at byte ${String(start)} failed: ${String(reply.status)}`);
      back.set(reply.data, start);
    });
    const read = performance.now();

    const expected = sha256(bytes);
    const actual = sha256(back.subarray(0, bytes.length));
    const rate = (from: number, to: number): string => `${(size / 2 ** 20 / ((to - from) / 1000)).toFixed(0)} MiB/s`;
    line("written", `${String(Math.ceil(size / PIECE))} requests of 64 KiB, ${rate(started, written)}`);
    line("read", `the same, ${rate(written, read)}`);
    line("sha256", expected.slice(0, 64));
    if (actual !== expected) throw new Error(`what was read differs: ${actual}`);
    line("", "what was read back is the same");

    await recorder.record(() => disk.requestq.submit({ type: "IN", sector: 8n, data: 4096 }));
    console.log(recorder.lines().join("\n"));
    await disk.stop();
  } finally {
    closeSync(image);
    rmSync(folder, { recursive: true, force: true });
  }
}
