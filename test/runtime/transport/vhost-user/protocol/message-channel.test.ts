import { describe, expect, it } from "vitest";
import { createMemoryFile, loadSystemCalls, UnixSocket } from "../../../../../src/runtime/transport/posix/index.js";
import {
  backEndTable,
  closeAll,
  decodePayload,
  encodePayload,
  frontEndRequests,
  frontEndTable,
  MessageChannel,
  mostPayloadBytes,
  VhostUserError,
  type FrontEndRequest,
  type Message,
  type PayloadKind,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../../fixtures/process-state.js";
import { requireSystemCalls } from "../../posix/require-system-calls.js";

const usable = await requireSystemCalls();

const ruleOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof VhostUserError ? error.rule : String(error);
  }
  return "accepted";
};
const words = (...numbers: number[]): Uint8Array => new Uint8Array(Uint32Array.from(numbers).buffer);
const message = (name: FrontEndRequest, payload: Uint8Array): Message<FrontEndRequest> => {
  return { name, isReply: false, needReply: false, payload, fds: [] };
};

const region = { guestAddress: 0x1_0000_0000, size: 0x4000_0000, userAddress: 0x7f00_0000_1000, fileOffset: 0xc_0000 };

describe("payloads", () => {
  it.each([
    ["u64", 0xffff_ffff_ffff_ffffn, 8],
    ["vringState", { index: 3, num: 256 }, 8],
    ["vringAddress", { index: 1, flags: 1, descriptor: 0x1000, used: 2 ** 52, available: 0x3000, log: 7 }, 40],
    ["memoryTable", [region, { ...region, guestAddress: 0 }], 72],
    ["memoryRegion", region, 40],
    ["log", { size: 4096, offset: 8192 }, 16],
    ["config", { offset: 8, flags: 1, bytes: Uint8Array.of(1, 2, 3) }, 15],
    ["inflight", { size: 8448, offset: 0, queues: 4, queueSize: 128 }, 24],
  ] as const)("%s are what they were", (kind: PayloadKind, value, size) => {
    const bytes = encodePayload(kind, value as never);
    expect(bytes).toHaveLength(size);
    expect(decodePayload(kind, message("SET_FEATURES", bytes))).toEqual(value);
    expect(ruleOf(() => decodePayload(kind, message("SET_FEATURES", bytes.subarray(1))))).not.toBe("accepted");
  });

  it.each([
    ["no region", "memoryTable", words(0, 0), "region-count"],
    ["nine regions", "memoryTable", words(9, 0, ...new Array<number>(72).fill(0)), "region-count"],
    ["2^32 - 1 regions", "memoryTable", words(0xffff_ffff, 0), "region-count"],
    ["more regions than bytes", "memoryTable", words(2, 0, 1, 0, 1, 0, 1, 0, 1, 0), "payload-size"],
    ["an address that numbers cannot say", "memoryRegion", words(0, 0, 0, 2 ** 31, 1, 0, 1, 0, 1, 0), "number-range"],
    ["a configuration of another size", "config", words(0, 5, 0, 1), "payload-size"],
    ["a configuration without a header", "config", words(0, 5), "payload-size"],
    ["an address that is cut", "vringAddress", words(1, 2, 3), "payload-size"],
  ] as const)("%s is refused", (_, kind, bytes, rule) => {
    expect(ruleOf(() => decodePayload(kind, message("SET_MEM_TABLE", bytes)))).toBe(rule);
  });

  it("takes a log address that means nothing for none", () => {
    const bytes = words(0, 0, 0, 0, 0, 0, 0, 0, 0xffff_ffff, 0xffff_ffff);
    expect(decodePayload("vringAddress", message("SET_VRING_ADDR", bytes)).log).toBeUndefined();
  });

  it("knows each request by one number", () => {
    const numbers = Object.values(frontEndRequests).map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const number of numbers) expect(frontEndTable.nameOf(number)).toBeDefined();
    expect([frontEndTable.nameOf(33), backEndTable.nameOf(0)]).toEqual([undefined, undefined]);
  });
});

describe.runIf(usable)("MessageChannel", async () => {
  const system = await loadSystemCalls();
  const pair = (): [MessageChannel<FrontEndRequest>, MessageChannel<FrontEndRequest>] => {
    const [a, b] = UnixSocket.pair(system);
    return [new MessageChannel(a, frontEndTable, "replies"), new MessageChannel(b, frontEndTable, "requests")];
  };

  it("keeps messages and their descriptors together", () => {
    const before = openFiles();
    const [front, back] = pair();
    const file = createMemoryFile(system, "test", 4096);
    front.request("SET_OWNER", new Uint8Array(0));
    front.request("SET_MEM_TABLE", encodePayload("memoryTable", [region, region]), { fds: [file, file] });
    front.request("SET_VRING_KICK", encodePayload("u64", 0n), { fds: [file], needReply: true });
    front.request("GET_FEATURES", new Uint8Array(0));
    const received = Array.from({ length: 4 }, () => back.receive());
    expect(back.receive()).toBeUndefined();
    expect(received.map((one) => [one?.name, one?.payload.length, one?.fds.length, one?.needReply])).toEqual([
      ["SET_OWNER", 0, 0, false],
      ["SET_MEM_TABLE", 72, 2, false],
      ["SET_VRING_KICK", 8, 1, true],
      ["GET_FEATURES", 0, 0, false],
    ]);
    for (const one of received) closeAll(one?.fds ?? []);
    back.reply("GET_FEATURES", encodePayload("u64", 5n), [file]);
    const reply = front.receive();
    expect(reply).toMatchObject({ name: "GET_FEATURES", isReply: true });
    closeAll([file, ...(reply?.fds ?? [])]);
    front.close();
    expect(ruleOf(() => back.receive())).toBe("peer-gone");
    expect(ruleOf(() => back.reply("GET_FEATURES", new Uint8Array(8)))).toBe("peer-gone");
    back.close();
    expect(openFiles()).toBe(before);
  });

  it("takes a message that arrives byte by byte", () => {
    const [front, back] = pair();
    const file = createMemoryFile(system, "test", 4096);
    const bytes = new Uint8Array([...words(8, 1, 8), ...words(3, 256)]);
    const found: (Message<FrontEndRequest> | undefined)[] = [];
    for (const [index] of bytes.entries()) {
      found.push(back.receive());
      front.socket.send(bytes.subarray(index, index + 1), index === 15 ? [file] : []);
    }
    expect(found.every((one) => one === undefined)).toBe(true);
    const whole = back.receive();
    expect(whole?.name).toBe("SET_VRING_NUM");
    expect(whole?.fds).toHaveLength(1);
    closeAll([file, ...(whole?.fds ?? [])]);
    front.close();
    back.close();
  });

  it.each([
    ["version 0", words(1, 0, 0), "version"],
    ["version 2", words(1, 2, 0), "version"],
    ["reserved flags", words(1, 0x11, 0), "flags"],
    ["a reply that nobody asked for", words(1, 5, 0), "direction"],
    ["a payload longer than any", words(1, 1, mostPayloadBytes + 1), "payload-size"],
    ["a payload of 4 GiB", words(1, 1, 0xffff_ffff), "payload-size"],
    ["a request that is none", words(4711, 1, 0), "unknown-request"],
  ])("refuses %s", (_, bytes, rule) => {
    const [front, back] = pair();
    front.socket.send(bytes);
    expect(ruleOf(() => back.receive())).toBe(rule);
    front.close();
    back.close();
  });

  it("closes what came with a message that was cut at any byte", () => {
    const before = openFiles();
    const bytes = new Uint8Array([...words(8, 1, 8), ...words(3, 256)]);
    for (let cut = 0; cut < bytes.length; cut++) {
      const [front, back] = pair();
      const file = createMemoryFile(system, "test", 4096);
      if (cut > 0) front.socket.send(bytes.subarray(0, cut), [file]);
      front.close();
      expect(ruleOf(() => back.receive())).toBe(cut === 0 ? "peer-gone" : "cut-short");
      back.close();
      closeAll([file]);
    }
    expect(openFiles()).toBe(before);
  });

  it("refuses more descriptors than any message has", () => {
    const before = openFiles();
    const [front, back] = pair();
    const file = createMemoryFile(system, "test", 4096);
    front.request("SET_OWNER", new Uint8Array(0), { fds: new Array<number>(17).fill(file) });
    expect(ruleOf(() => back.receive())).toBe("descriptor-count");
    front.close();
    back.close();
    closeAll([file]);
    expect(openFiles()).toBe(before);
  });
});
