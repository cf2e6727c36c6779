/** A Worker that works on queues of a disk: it opens the image itself. */
import { parentPort, workerData } from "node:worker_threads";
import { serveQueues } from "../runtime/transport/vhost-user/index.js";
import { openImageDisk } from "./image-disk.js";
import type { DiskWorkerData, DiskWorkerProblem } from "./image-disk-workers.js";

const { disk: options } = workerData as DiskWorkerData;
const disk = openImageDisk({
  ...options,
  onError: ({ message }) => {
    const problem: DiskWorkerProblem = { problem: message };
    parentPort?.postMessage(problem);
  },
});
await serveQueues(disk.device);
await disk.close();
