// A Worker that works on queues of a disk. Sectors beyond the disk make it do what tests want to see.
import { workerData } from "node:worker_threads";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BlkDevice, type BlkRequest } from "../../../../generated/blk.js";
import type { Completion } from "../../../../src/runtime/index.js";
import { serveQueues } from "../../../../src/runtime/transport/vhost-user/index.js";
import { numberOf, special, type WorkerDiskData } from "./worker-disk-data.js";

const { bytes, kind, number, shared } = workerData as WorkerDiskData;
const disk = new Uint8Array(bytes);
const numbers = new Int32Array(shared);
const SECTOR = 512;
type Read = Extract<BlkRequest, { readonly type: "IN" }>;
let held: Read[] = [];

function filled(request: Read, value: number): Completion {
  request.data.write(new Uint8Array(request.data.length).fill(value));
  return request.complete("OK");
}

function serve(request: BlkRequest): Completion | Promise<Completion | undefined> | undefined {
  if (Atomics.load(numbers, numberOf.lateness) > 0) {
    const lateness = Atomics.load(numbers, numberOf.lateness);
    const timer = setInterval(() => {
      if (request.live) return;
      clearInterval(timer);
      setTimeout(() => answerLate(request), lateness);
    }, 5);
    return undefined;
  }
  const slowness = Atomics.load(numbers, numberOf.slowness);
  if (slowness > 0 && request.type === "OUT") return slowly(request, slowness);
  switch (request.type) {
    case "IN":
      return read(request, Number(request.sector));
    case "OUT":
      request.data.read(disk, Number(request.sector) * SECTOR);
      return request.complete("OK");
    default:
      return request.complete("UNSUPP");
  }
}

/** As if it had not heard of the reset that came meanwhile. */
function answerLate(request: BlkRequest): void {
  const done = request.type === "IN" ? filled(request, 7) : request.complete("UNSUPP");
  Atomics.add(numbers, done === "stale" ? numberOf.stale : numberOf.notStale, 1);
}

/** Some at once, some a little later, some never; but none of the first ones. */
async function slowly(
  request: Extract<BlkRequest, { readonly type: "OUT" }>,
  slowness: number,
): Promise<Completion | undefined> {
  const isCertain = Atomics.add(numbers, numberOf.certain, -1) > 0;
  const chance = Math.random() * (isCertain ? 0.8 : 1);
  if (chance >= 0.8) return undefined;
  if (chance >= 0.3) await new Promise((resolve) => setTimeout(resolve, slowness * Math.random()));
  if (!request.live) return undefined;
  Atomics.add(numbers, numberOf.firstSector + Number(request.sector), 1);
  return request.complete("OK");
}

function read(request: Read, sector: number): ReturnType<typeof serve> {
  if (sector >= special.late) {
    return new Promise((resolve) =>
      setTimeout(() => resolve(request.live ? filled(request, 7) : undefined), sector - special.late),
    );
  }
  switch (sector) {
    case special.who:
      return filled(request, 100 + number);
    case special.hold:
      held.push(request);
      return undefined;
    case special.gate:
      Atomics.store(numbers, numberOf.atGate, 1);
      Atomics.wait(numbers, numberOf.gate, 0);
      return filled(request, 5);
    case special.kept:
      Atomics.add(numbers, numberOf.kept, 1);
      return new Promise((resolve) => {
        const timer = setInterval(() => {
          if (Atomics.load(numbers, numberOf.released) === 0) return;
          clearInterval(timer);
          resolve(request.live ? filled(request, 7) : undefined);
        }, 2);
      });
    case special.holdMemory:
      void request.hold(() => new Promise(() => undefined));
      return undefined;
    case special.letGo: {
      const requests = held;
      held = [];
      for (const one of requests) filled(one, 1);
      return filled(request, requests.length);
    }
    case special.crash:
      setImmediate(() => {
        throw new Error("a crash");
      });
      return undefined;
    case special.exit:
      return process.exit(3);
    case special.spin:
      Atomics.add(numbers, numberOf.spinning, 1);
      for (;;);
    case special.capacity:
      return filled(request, Number(device.config.capacity & 0xffn));
    case special.writeback:
      return filled(request, device.config.writeback);
    case special.resets:
      return filled(request, device.resets);
    case special.collectGarbage:
      setFlagsFromString("--expose-gc");
      runInNewContext("gc()");
      return filled(request, 0);
    default:
      request.data.write(disk, sector * SECTOR);
      return request.complete("OK");
  }
}

if (kind === "throws") throw new Error("not today");
class CountingDisk extends BlkDevice {
  /** How often it was reset. */
  resets = 0;
  protected override deviceReset(): void {
    this.resets++;
  }
}
const device = new CountingDisk({
  features: [
    "MQ",
    "CONFIG_WCE",
    "FLUSH",
    "RING_RESET",
    "IN_ORDER",
    ...(kind === "differs" ? [] : (["RING_PACKED"] as const)),
  ],
  config: { capacity: 1n, numQueues: 4, writeback: 1 },
  requestq: serve,
});
device.onProtocolError = () => undefined;
if (kind !== "silent") await serveQueues(device);
