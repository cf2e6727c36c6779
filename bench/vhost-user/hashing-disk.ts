/**
 * A disk whose handler costs processor time: for each read 256 KiB are hashed. A program of its own, with as many Workers for its
 * four queues as it is told: `hashing-disk.ts SOCKET WORKERS`. Its Workers run this file, too.
 */
import { createHash } from "node:crypto";
import { isMainThread } from "node:worker_threads";
import { startThread } from "../../examples/shared/thread.js";
import { BlkDevice } from "../../generated/blk.js";
import { serve, serveQueues } from "../../src/runtime/transport/vhost-user/index.js";

const QUEUES = 4;
const HASHED = 256 << 10;

const data = Buffer.alloc(HASHED, "virtio");
const device = new BlkDevice({
  features: ["MQ"],
  config: { capacity: 1n << 20n, numQueues: QUEUES },
  requestq(request) {
    if (request.type !== "IN") return request.complete("UNSUPP");
    createHash("sha256").update(data).digest().copy(data);
    request.data.write(data.subarray(0, request.data.length));
    return request.complete("OK");
  },
});

if (isMainThread) {
  const [socket = "", workers = "0"] = process.argv.slice(2);
  const count = Number(workers);
  const start = () => startThread(new URL(import.meta.url));
  const server = await serve(device, { socket, ...(count > 0 && { workers: { count, start } }) });
  process.once("SIGTERM", () => void server.close());
} else {
  await serveQueues(device);
}
