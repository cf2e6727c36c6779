// What a hostile front end does, message by message.
import { closeSync, openSync } from "node:fs";
import { encodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import {
  guestStart,
  memoryBytes,
  PACKED,
  plain,
  userStart,
  type ScriptedFrontEnd,
  type ScriptedRing,
} from "./scripted-front-end.js";

/** A message as its numbers of 32 bits. */
export const words = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
const state = (index: number, num: number) => encodePayload("vringState", { index, num });

export interface Attack {
  /** Number in the project's list of hostile inputs: 58 to 68. */
  readonly input: number;
  readonly what: string;
  /** What the back end says; `closed` when there is nothing wrong with it. */
  readonly rule: string;
  /** Which is done to a front end that has set up its memory (and a ring, if it is used). */
  readonly attack: (front: ScriptedFrontEnd, ring: () => Promise<ScriptedRing>) => unknown;
}

export const raw = (front: ScriptedFrontEnd, bytes: Uint8Array, fds: number[] = []): number =>
  front.channel.socket.send(bytes, fds);
export const region = (change: object = {}) => ({
  guestAddress: 2 ** 33,
  size: 4096,
  userAddress: userStart + 2 ** 33,
  fileOffset: 0,
  ...change,
});
const add = (front: ScriptedFrontEnd, change: object, size = 4096) =>
  front.send("ADD_MEM_REG", "memoryRegion", region(change), { fds: [front.file(size)] });
const address = (change: object) => ({
  index: 0,
  flags: 0,
  descriptor: userStart,
  available: userStart + 4096,
  used: userStart + 8192,
  log: 0,
  ...change,
});

const setInflight = (front: ScriptedFrontEnd, size: number) =>
  front.send(
    "SET_INFLIGHT_FD",
    "inflight",
    { size, offset: 0, queues: 4, queueSize: 256 },
    { fds: [front.file(4096)] },
  );
/** Everything that a ring which the back end polls needs. */
function startRing(front: ScriptedFrontEnd, size: number): void {
  front.channel.request("SET_VRING_NUM", state(0, size));
  front.send("SET_VRING_ADDR", "vringAddress", address({}));
  front.send("SET_VRING_KICK", "u64", 0x100n);
  front.channel.request("SET_VRING_ENABLE", state(0, 1));
}

export const attacks: readonly Attack[] = [
  { input: 58, what: "version 0", rule: "version", attack: (front) => raw(front, words(1, 0, 0)) },
  { input: 58, what: "version 3", rule: "version", attack: (front) => raw(front, words(1, 3, 0)) },
  { input: 58, what: "reserved flags", rule: "flags", attack: (front) => raw(front, words(1, 0x8000_0001, 0)) },
  { input: 58, what: "a reply", rule: "direction", attack: (front) => raw(front, words(1, 5, 8, 0, 0)) },
  {
    input: 59,
    what: "a payload of 4 GiB",
    rule: "payload-size",
    attack: (front) => raw(front, words(5, 1, 0xffff_ffff)),
  },
  {
    input: 59,
    what: "a payload that is short",
    rule: "payload-size",
    attack: (front) => raw(front, words(8, 1, 4, 0)),
  },
  {
    input: 59,
    what: "a payload that is long",
    rule: "payload-size",
    attack: (front) => raw(front, words(8, 1, 12, 0, 0, 0)),
  },
  {
    input: 59,
    what: "a message that is cut",
    rule: "cut-short",
    attack: (front) => {
      raw(front, words(8, 1, 8, 0));
      front.channel.close();
    },
  },
  { input: 59, what: "an unknown request", rule: "unknown-request", attack: (front) => raw(front, words(99, 1, 0)) },
  { input: 59, what: "an IOTLB message", rule: "not-negotiated", attack: (front) => raw(front, words(22, 1, 0)) },
  {
    input: 60,
    what: "a table without regions",
    rule: "region-count",
    attack: (front) => front.channel.request("SET_MEM_TABLE", words(0, 0)),
  },
  {
    input: 60,
    what: "a table of 4 billion regions",
    rule: "region-count",
    attack: (front) =>
      front.channel.request("SET_MEM_TABLE", words(0xffff_ffff, 0), {
        fds: new Array<number>(8).fill(front.memoryFile),
      }),
  },
  {
    input: 60,
    what: "a region that overlaps",
    rule: "region-overlap",
    attack: (front) => add(front, { guestAddress: guestStart + 4096 }),
  },
  {
    input: 60,
    what: "a region that overlaps in the other address space",
    rule: "region-overlap",
    attack: (front) => add(front, { userAddress: userStart + memoryBytes - 1 }),
  },
  {
    input: 60,
    what: "a region that wraps",
    rule: "region-range",
    attack: (front) => add(front, { guestAddress: 2 ** 53 - 4096 }),
  },
  { input: 60, what: "an empty region", rule: "region-range", attack: (front) => add(front, { size: 0 }) },
  {
    input: 60,
    what: "a region above 2^53",
    rule: "number-range",
    attack: (front) =>
      front.channel.request("ADD_MEM_REG", words(0, 0, 0, 2 ** 31, 4096, 0, 0, 0, 0, 0), { fds: [front.memoryFile] }),
  },
  {
    input: 60,
    what: "more regions than there may be",
    rule: "region-count",
    attack: (front) => {
      for (let i = 0; i < 256; i++)
        add(front, { guestAddress: 2 ** 33 + i * 4096, userAddress: userStart + 2 ** 33 + i * 4096 });
    },
  },
  {
    input: 61,
    what: "a region without a descriptor",
    rule: "descriptor-count",
    attack: (front) => front.send("ADD_MEM_REG", "memoryRegion", region()),
  },
  {
    input: 61,
    what: "a table with too few descriptors",
    rule: "descriptor-count",
    attack: (front) =>
      front.send("SET_MEM_TABLE", "memoryTable", [front.region, region()], { fds: [front.memoryFile] }),
  },
  {
    input: 61,
    what: "a descriptor that nobody asked for",
    rule: "descriptor-count",
    attack: (front) => front.send("SET_VRING_NUM", "vringState", { index: 0, num: 8 }, { fds: [front.memoryFile] }),
  },
  { input: 61, what: "a file that is too short", rule: "region-file", attack: (front) => add(front, {}, 4095) },
  {
    input: 61,
    what: "a region behind its file",
    rule: "region-file",
    attack: (front) => add(front, { fileOffset: 4096 }),
  },
  {
    input: 61,
    what: "an offset beyond all files",
    rule: "region-file",
    attack: (front) => add(front, { fileOffset: 2 ** 52 }),
  },
  {
    input: 61,
    what: "memory that is no file",
    rule: "region-file",
    attack: async (front) => {
      const ring = await front.startRing(0);
      front.send("ADD_MEM_REG", "memoryRegion", region(), { fds: [ring.kick.fd] });
    },
  },
  {
    input: 61,
    what: "memory that may not be written",
    rule: "region-file",
    attack: (front) => {
      const file = openSync("/proc/self/exe", "r");
      front.send("ADD_MEM_REG", "memoryRegion", region(), { fds: [file] });
      closeSync(file);
    },
  },
  {
    input: 61,
    what: "a file as a kick",
    rule: "descriptor",
    attack: (front) => front.send("SET_VRING_KICK", "u64", 0n, { fds: [front.memoryFile] }),
  },
  {
    input: 62,
    what: "a ring that is not there",
    rule: "ring-index",
    attack: (front) => front.channel.request("SET_VRING_NUM", state(4, 16)),
  },
  {
    input: 62,
    what: "ring 2^32 - 1",
    rule: "ring-index",
    attack: (front) => front.channel.request("SET_VRING_BASE", state(0xffff_ffff, 0)),
  },
  {
    input: 62,
    what: "the call of ring 255",
    rule: "ring-index",
    attack: (front) => front.send("SET_VRING_CALL", "u64", 0x1ffn),
  },
  {
    input: 62,
    what: "the base of ring 77",
    rule: "ring-index",
    attack: (front) => front.channel.request("GET_VRING_BASE", state(77, 0)),
  },
  ...["descriptor", "available", "used"].map((part): Attack => ({
    input: 63,
    what: `a ring whose ${part} ring is in no memory`,
    rule: "ring-address",
    attack: (front) => {
      front.channel.request("SET_VRING_NUM", state(0, 16));
      front.send("SET_VRING_ADDR", "vringAddress", address({ [part]: userStart + memoryBytes - 16 }));
    },
  })),
  {
    input: 63,
    what: "a ring that leaves its memory by its size, set later",
    rule: "ring-address",
    attack: async (front) => {
      front.send("SET_VRING_ADDR", "vringAddress", address({ used: userStart + memoryBytes - 128 }));
      front.channel.request("SET_VRING_NUM", state(0, 256));
      const ring = await front.startRing(1).catch(() => undefined);
      front.send("SET_VRING_KICK", "u64", 0x100n);
      front.channel.request("SET_VRING_ENABLE", state(0, 1));
      return ring;
    },
  },
  {
    input: 64,
    what: "a ring of no entries",
    rule: "ring-size",
    attack: (front) => front.channel.request("SET_VRING_NUM", state(0, 0)),
  },
  {
    input: 64,
    what: "a huge ring",
    rule: "ring-size",
    attack: (front) => front.channel.request("SET_VRING_NUM", state(0, 0xffff_ffff)),
  },
  {
    input: 64,
    what: "a split ring of 12 entries",
    rule: "ring-size",
    attack: (front) => startRing(front, 12),
  },
  {
    input: 64,
    what: "a start further ahead than the ring is long",
    rule: "ring-base",
    attack: (front) => {
      front.channel.request("SET_VRING_BASE", state(0, 17));
      startRing(front, 16);
    },
  },
  {
    input: 65,
    what: "a log that does not cover the memory",
    rule: "log-range",
    attack: (front) => front.send("SET_LOG_BASE", "log", { size: 1, offset: 0 }, { fds: [front.file(4096)] }),
  },
  {
    input: 65,
    what: "a log behind the end of its file",
    rule: "log-range",
    attack: (front) => front.send("SET_LOG_BASE", "log", { size: 4096, offset: 4096 }, { fds: [front.file(4096)] }),
  },
  {
    input: 65,
    what: "a log with an offset that overflows",
    rule: "number-range",
    attack: (front) =>
      front.channel.request("SET_LOG_BASE", words(4096, 0, 0xffff_ffff, 0xffff_ffff), { fds: [front.memoryFile] }),
  },
  {
    input: 66,
    what: "an inflight region that is too small",
    rule: "inflight-size",
    attack: (front) => setInflight(front, 64),
  },
  {
    input: 66,
    what: "an inflight region that is longer than its file",
    rule: "inflight-size",
    attack: (front) => setInflight(front, 2 ** 20),
  },
  {
    input: 66,
    what: "an inflight region for no queues",
    rule: "inflight-size",
    attack: (front) => front.send("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 0, queueSize: 256 }),
  },
  {
    input: 66,
    what: "an inflight region of a smaller ring",
    rule: "inflight-size",
    attack: async (front) => {
      const reply = await front.ask("GET_INFLIGHT_FD", "inflight", { size: 0, offset: 0, queues: 1, queueSize: 8 });
      front.channel.request("SET_INFLIGHT_FD", reply.payload, { fds: reply.fds });
      startRing(front, 16);
    },
  },
  {
    input: 67,
    what: "features that change while a ring runs",
    rule: "features",
    attack: async (front, ring) => {
      await ring();
      front.send("SET_FEATURES", "u64", plain | PACKED);
    },
  },
  {
    input: 67,
    what: "features that are not offered",
    rule: "features",
    attack: (front) => front.send("SET_FEATURES", "u64", plain | 1n),
  },
  {
    input: 67,
    what: "protocol features that are not offered",
    rule: "features",
    attack: (front) => front.send("SET_PROTOCOL_FEATURES", "u64", 1n << 14n),
  },
  {
    input: 67,
    what: "a ring that is moved while it runs",
    rule: "ring-running",
    attack: async (front, ring) => {
      const address = (await ring()).address();
      front.send("SET_VRING_ADDR", "vringAddress", { ...address, used: address.used + 64 });
    },
  },
  {
    input: 67,
    what: "the size of a ring that runs",
    rule: "ring-running",
    attack: async (front, ring) => {
      await ring();
      front.channel.request("SET_VRING_NUM", state(0, 8));
    },
  },
  {
    input: 67,
    what: "memory that goes away under a ring",
    rule: "ring-address",
    attack: async (front, ring) => {
      await ring();
      const elsewhere = { ...front.region, guestAddress: 2 ** 33, userAddress: 2 ** 40 };
      front.send("SET_MEM_TABLE", "memoryTable", [elsewhere], { fds: [front.memoryFile] });
    },
  },
  {
    input: 67,
    what: "memory that goes away under a ring and never comes back",
    rule: "closed",
    attack: async (front, ring) => {
      await ring();
      front.send("REM_MEM_REG", "memoryRegion", front.region);
      if (!(await front.acknowledged("SET_VRING_ENABLE", "vringState", { index: 0, num: 1 })))
        throw new Error("refused");
      front.channel.close();
    },
  },
  {
    input: 67,
    what: "a request that was not negotiated",
    rule: "not-negotiated",
    attack: (front) => {
      front.send("SET_PROTOCOL_FEATURES", "u64", 0n);
      front.send("GET_STATUS", "none", undefined);
    },
  },
  { input: 68, what: "an end without a word", rule: "closed", attack: (front) => front.channel.close() },
  {
    input: 68,
    what: "an end while a ring runs",
    rule: "closed",
    attack: async (front, ring) => {
      (await ring()).submit(3);
      front.channel.close();
    },
  },
];
