/** The thread of the disk: waits for its end of the channel, and serves. */
import { parentPort } from "node:worker_threads";
import { serveThread, type ThreadEnd } from "virtio-gen/runtime/threads";
import { createRamDisk } from "../ram-disk/disk.js";

parentPort?.once("message", (end: ThreadEnd) => {
  serveThread(createRamDisk(new Uint8Array(1 << 20)), end);
});
