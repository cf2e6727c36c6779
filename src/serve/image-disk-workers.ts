import type { QueueWorkers } from "../runtime/transport/vhost-user/index.js";
import type { ImageDiskOptions } from "./image-disk.js";
import { startWorker } from "./start-worker.js";

/** What a Worker of a disk is told. */
export interface DiskWorkerData {
  readonly disk: Omit<ImageDiskOptions, "onError">;
}
/** What it says of its own accord. */
export interface DiskWorkerProblem {
  readonly problem: string;
}

/** Workers that each open the image of a disk and work on some of its queues. */
export interface DiskWorkers {
  readonly workers: QueueWorkers;
  /** Requests that each of them has served. */
  readonly counts: readonly number[];
  readonly served: number;
}

export function diskWorkers(count: number, options: ImageDiskOptions): DiskWorkers {
  const { onError, ...disk } = options;
  const tallies = Array.from({ length: count }, () => new Uint32Array(new SharedArrayBuffer(4)));
  const counts = (): number[] => tallies.map((tally) => tally[0] ?? 0);
  return {
    get counts() {
      return counts();
    },
    get served() {
      return counts().reduce((sum, count) => sum + count, 0);
    },
    workers: {
      count,
      start: (number) => {
        const tally = tallies[number];
        const data: DiskWorkerData = { disk: tally === undefined ? disk : { ...disk, tally } };
        const worker = startWorker("image-disk-worker", data);
        worker.on("message", (message: unknown) => {
          if (isProblem(message)) onError?.(new Error(message.problem));
        });
        return worker;
      },
    },
  };
}

function isProblem(message: unknown): message is DiskWorkerProblem {
  return typeof message === "object" && message !== null && "problem" in message;
}
