// A disk of a process of its own, to be killed: keeps a number of writes unanswered while it answers others in an order of its
// own, and keeps a journal of what it began and answered. slow-disk-process.ts is the other side.
import { openSync, readdirSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { BlkDevice, type BlkOutRequest, type BlkRequest } from "../../../generated/blk.js";
import type { Completion } from "../../../src/runtime/index.js";
import { serve } from "../../../src/runtime/transport/vhost-user/index.js";
import { ImageFile } from "../../../src/serve/image-file.js";
import type { Holdings, SlowDiskOptions, SlowDiskOrder, SlowDiskReport } from "./slow-disk-process.js";

const SECTOR = 512;
/** How often writes are answered, in milliseconds, and how many at most. */
const TICK = 2;
const MOST_ANSWERS = 8;
/** No guest has less. */
const GUEST_MEMORY = 64 << 20;

const options = JSON.parse(process.argv[2] ?? "{}") as SlowDiskOptions;
const image = new ImageFile(options.image, false);
const journal = openSync(options.journal, "a");
const queues = Array.from({ length: options.queues }, (_, index) => index);

/** Writes that are not answered yet. */
const waiting: BlkOutRequest[] = [];
let { hold } = options;
let answered = 0;
/** Writes that may still be answered. */
let left = Infinity;
const problems: string[] = [];

const device = new BlkDevice({
  features: [
    "FLUSH",
    "SEG_MAX",
    ...(options.queues > 1 ? (["MQ"] as const) : []),
    ...(options.isPacked ? (["RING_PACKED"] as const) : []),
  ],
  config: { capacity: BigInt(image.size / SECTOR), segMax: 126, numQueues: options.queues },
  queueSize: options.queueSize,
  requestq: take,
});
device.onProtocolError = (error) => problems.push(error.message);

/** The journal outlives this process: each line is in the file before anything else happens. */
function note(word: "begun" | "answered", request: BlkRequest, generation: number): void {
  writeSync(journal, `${word} ${request.queueIndex} ${request.type} ${request.sectorNumber} ${generation}\n`);
}

const header = new Uint8Array(16);
const headerView = new DataView(header.buffer);
/** How often the guest's program has written the block before, as guest/pattern.h has it. */
function generationOf(request: BlkOutRequest): number {
  request.data.read(header, 0, 0, header.length);
  return Number(headerView.getBigUint64(8, true));
}

function take(request: BlkRequest): Completion | undefined {
  if (request.type === "OUT") {
    note("begun", request, generationOf(request));
    waiting.push(request);
    return undefined;
  }
  note("answered", request, 0);
  if (request.type === "IN") image.read(request.data, request.sectorNumber * SECTOR);
  else if (request.type !== "FLUSH") return request.complete("UNSUPP");
  return request.complete("OK");
}

/** Answers writes, whichever, as long as enough are left. */
function answerSome(): void {
  for (let now = hold === 0 ? waiting.length : MOST_ANSWERS; now > 0 && left > 0 && waiting.length > hold; now--) {
    const place = Math.floor(Math.random() * waiting.length);
    const request = waiting[place];
    const last = waiting.pop();
    if (request === undefined || last === undefined) return;
    if (request !== last) waiting[place] = last;
    if (!request.live) continue;
    image.write(request.data, request.sectorNumber * SECTOR);
    note("answered", request, generationOf(request));
    request.complete("OK");
    answered++;
    left--;
  }
}
setInterval(answerSome, TICK);

/** What this process holds on to: open files, and pieces of memory that it shares with others. */
async function holdings(): Promise<Holdings> {
  // Views that nobody uses keep their addresses until they are collected.
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await delay(20);
  }
  const files = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, "")];
    } catch {
      // The one with which the folder was read.
      return [];
    }
  });
  const mappings = readFileSync("/proc/self/maps", "utf8").split("\n").filter(isGuestMemory);
  return { files: files.sort(), mappings: mappings.length };
}

/** Is shared, or large enough for a guest's memory: what takes its place after it is gone, until nobody can look at it any more. */
function isGuestMemory(line: string): boolean {
  const [, start = "0", end = "0", rights = ""] = /^(\w+)-(\w+) (\S+)/.exec(line) ?? [];
  return rights.endsWith("s") || Number.parseInt(end, 16) - Number.parseInt(start, 16) >= GUEST_MEMORY;
}

function report(): SlowDiskReport {
  const addresses = queues.map((index) => device.queue(index)?.addresses);
  return { waiting: waiting.filter(({ live }) => live).length, answered, problems, addresses };
}

const say = (what: unknown): void => void process.send?.(what);
process.on("disconnect", () => process.exit());
process.on("message", (order: SlowDiskOrder) => {
  if (order.hold !== undefined) [hold, left] = [order.hold, order.most ?? Infinity];
  if (order.serve === true) void start();
  if (order.report === true) say(report());
  if (order.holdings === true) void holdings().then(say);
});

async function start(): Promise<void> {
  const onError = (error: Error | undefined): void => {
    if (error !== undefined) problems.push(error.message);
  };
  const onDisconnect = (error: Error | undefined): void => {
    onError(error);
    // They are nobody's now.
    waiting.length = 0;
  };
  await serve(device, { socket: options.socket, stopTimeout: 2000, onError, onDisconnect });
  say("serving");
}
say("ready");
