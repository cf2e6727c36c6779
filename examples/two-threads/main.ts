/** A disk that another thread serves. Run with `npm run example two-threads`. */
import { once } from "node:events";
import { BlkDriver } from "virtio-gen/devices/blk";
import { connectThread, createThreadChannel } from "virtio-gen/runtime/threads";
import { SECTOR } from "../ram-disk/disk.js";
import { startThread } from "../shared/thread.js";

// The memory is shared by both threads; each of them gets one end of the channel.
const channel = createThreadChannel({ memorySize: 1 << 20 });
const worker = startThread(new URL("./disk-thread.ts", import.meta.url));
worker.postMessage(channel.device, [channel.device.port]);

const disk = await BlkDriver.start(await connectThread(channel.driver), {
  features: ["FLUSH"],
  onError: (error) => console.log(`the driver says: ${error.message}`),
});
console.log(`capacity: ${disk.config.capacity.toString()} sectors, served by thread ${String(worker.threadId)}`);

const text = "Written by one thread, kept by another.";
const writes = await Promise.all(
  Array.from({ length: 100 }, (_, sector) => {
    const data = new TextEncoder().encode(`${String(sector)}: ${text}`.padEnd(SECTOR));
    return disk.requestq.submit({ type: "OUT", sector: BigInt(sector), data });
  }),
);
console.log(`writes: ${String(writes.filter(({ status }) => status === "OK").length)} OK`);
const read = await disk.requestq.submit({ type: "IN", sector: 42n, data: SECTOR });
console.log(`read: ${read.status}, "${new TextDecoder().decode(read.data).trim()}"`);

// A thread that is gone fails what is outstanding; nothing waits for ever.
const exit = once(worker, "exit");
await worker.terminate();
await exit;
const failure: unknown = await disk.requestq
  .submit({ type: "IN", sector: 0n, data: SECTOR })
  .catch((error: unknown) => error);
console.log(`after the thread was ended: ${failure instanceof Error ? failure.name : "no error"}`);
await disk.stop();
