/** A disk in memory, and a driver that uses it. Run with `npm run example ram-disk`. */
import { BlkDriver } from "virtio-gen/devices/blk";
import { loopback } from "virtio-gen/runtime/loopback";
import { createRamDisk, SECTOR } from "./disk.js";

const disk = await BlkDriver.start(loopback(createRamDisk(new Uint8Array(64 << 20))), {
  features: ["FLUSH", "SEG_MAX", "WRITE_ZEROES"],
});
console.log(`capacity: ${disk.config.capacity.toString()} sectors, at most ${String(disk.config.segMax)} segments`);

const { id } = await disk.requestq.submit({ type: "GET_ID", sector: 0n });
console.log(`id: ${id}`);

const text = new TextEncoder().encode("The quick brown fox jumps over the lazy dog.".padEnd(SECTOR));
console.log(`write: ${(await disk.requestq.submit({ type: "OUT", sector: 7n, data: text })).status}`);
console.log(`flush: ${(await disk.requestq.submit({ type: "FLUSH", sector: 0n })).status}`);

const read = await disk.requestq.submit({ type: "IN", sector: 7n, data: SECTOR });
console.log(`read: ${read.status}, "${new TextDecoder().decode(read.data).trim()}"`);

const zeroed = await disk.requestq.submit({
  type: "WRITE_ZEROES",
  sector: 0n,
  segments: [{ sector: 7n, numSectors: 1, flags: { unmap: false } }],
});
const empty = await disk.requestq.submit({ type: "IN", sector: 7n, data: SECTOR });
console.log(`write zeroes: ${zeroed.status}, ${empty.data.every((byte) => byte === 0) ? "all zero" : "NOT zero"}`);

const beyond = await disk.requestq.submit({ type: "IN", sector: disk.config.capacity, data: SECTOR });
console.log(`read past the end: ${beyond.status}`);
await disk.stop();
