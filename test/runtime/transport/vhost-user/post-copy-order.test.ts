import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  decodePayload,
  ProtocolFeature,
  VhostUserError,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../fixtures/process-state.js";
import { requireUserFaults } from "../../../interop/user-faults.js";
import { advise, listen, negotiate } from "./post-copy-front-end.js";
import { guestStart, memoryBytes, ScriptedFrontEnd, until, userStart } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { serveDisk } from "./served-disk.js";

const registered = (): number => readFileSync("/proc/self/smaps", "utf8").match(/^VmFlags:.* um /gm)?.length ?? 0;
const guestMappings = (): number => readFileSync("/proc/self/maps", "utf8").match(/memfd:/g)?.length ?? 0;

/** The userfaultfd is closed, and the back end hears the rest. */
const begin = async (front: ScriptedFrontEnd): Promise<void> => {
  closeSync(await advise(front));
  await listen(front);
};
const table = async (front: ScriptedFrontEnd): Promise<void> => {
  front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
  await front.receive();
};
const acknowledge = (front: ScriptedFrontEnd): void => front.send("SET_MEM_TABLE", "u64", 0n);
const other = {
  guestAddress: guestStart + memoryBytes,
  size: 8192,
  userAddress: userStart + memoryBytes,
  fileOffset: 0,
};

interface Attack {
  readonly what: string;
  /** How the connection ends. */
  readonly rule: string;
  readonly attack: (front: ScriptedFrontEnd) => unknown;
}

const attacks: readonly Attack[] = [
  {
    what: "without negotiation",
    rule: "not-negotiated",
    attack: (front) => {
      front.send("SET_PROTOCOL_FEATURES", "u64", 1n << BigInt(ProtocolFeature.REPLY_ACK));
      front.send("POSTCOPY_ADVISE", "none", undefined);
    },
  },
  { what: "listen first", rule: "postcopy-order", attack: (front) => front.send("POSTCOPY_LISTEN", "none", undefined) },
  { what: "end first", rule: "postcopy-order", attack: (front) => front.send("POSTCOPY_END", "none", undefined) },
  { what: "nothing first", rule: "postcopy-order", attack: (front) => front.send("NONE", "u64", 0n) },
  {
    what: "end before listen",
    rule: "postcopy-order",
    attack: async (front) => {
      closeSync(await advise(front));
      front.send("POSTCOPY_END", "none", undefined);
    },
  },
  {
    what: "listen when memory has been touched",
    rule: "postcopy-order",
    attack: async (front) => {
      closeSync(await advise(front));
      front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
      front.send("POSTCOPY_LISTEN", "none", undefined);
    },
  },
  {
    what: "advise after listen",
    rule: "postcopy-order",
    attack: async (front) => {
      await begin(front);
      front.send("POSTCOPY_ADVISE", "none", undefined);
    },
  },
  {
    what: "an acknowledgement of nothing",
    rule: "postcopy-order",
    attack: async (front) => {
      await begin(front);
      acknowledge(front);
    },
  },
  {
    what: "a question in place of the acknowledgement",
    rule: "postcopy-order",
    attack: async (front) => {
      await begin(front);
      await table(front);
      front.send("GET_FEATURES", "none", undefined);
    },
  },
  {
    what: "a table in place of the acknowledgement",
    rule: "postcopy-order",
    attack: async (front) => {
      await begin(front);
      await table(front);
      front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
    },
  },
  {
    what: "an end in place of the acknowledgement",
    rule: "postcopy-order",
    attack: async (front) => {
      await begin(front);
      await table(front);
      front.send("POSTCOPY_END", "none", undefined);
    },
  },
  {
    what: "an acknowledgement that says no",
    rule: "refused",
    attack: async (front) => {
      await begin(front);
      await table(front);
      front.send("SET_MEM_TABLE", "u64", 1n);
    },
  },
  {
    what: "two acknowledgements",
    rule: "postcopy-order",
    attack: async (front) => {
      await begin(front);
      await table(front);
      acknowledge(front);
      acknowledge(front);
    },
  },
  {
    what: "a region that is not in memory",
    rule: "region-file",
    attack: async (front) => {
      const path = join(tmpdir(), `virtio-gen-region-${process.pid}`);
      writeFileSync(path, new Uint8Array(8192));
      const fd = openSync(path, "r+");
      try {
        await begin(front);
        front.send("ADD_MEM_REG", "memoryRegion", other, { fds: [fd] });
      } finally {
        closeSync(fd);
        rmSync(path);
      }
    },
  },
  {
    what: "regions that overlap",
    rule: "region-overlap",
    attack: async (front) => {
      await begin(front);
      await table(front);
      const region = { ...other, guestAddress: guestStart };
      front.send("ADD_MEM_REG", "memoryRegion", region, { fds: [front.file(8192)] });
    },
  },
  {
    what: "memory more, whose faults nobody would hear of",
    rule: "postcopy-memory",
    attack: async (front) => {
      await begin(front);
      await table(front);
      acknowledge(front);
      front.send("ADD_MEM_REG", "memoryRegion", other, { fds: [front.file(8192)] });
    },
  },
  { what: "gone after advise", rule: "closed", attack: async (front) => closeSync(await advise(front)) },
  { what: "gone after listen", rule: "closed", attack: begin },
  {
    what: "gone before the acknowledgement",
    rule: "closed",
    attack: async (front) => {
      await begin(front);
      await table(front);
    },
  },
  {
    what: "gone when it runs",
    rule: "closed",
    attack: async (front) => {
      await begin(front);
      await table(front);
      acknowledge(front);
      await front.startRing(0);
    },
  },
];

const possible = (await requireVhostUser()) && (await requireUserFaults());

describe.runIf(possible)("a front end that confuses post-copy migration", () => {
  it.each(attacks)("$what: $rule", async ({ rule, attack }) => {
    const { path, ends, device } = await serveDisk();
    const [files, mappings] = [openFiles(), guestMappings()];
    const front = await ScriptedFrontEnd.connect(path);
    await negotiate(front);
    try {
      await attack(front);
    } catch (error) {
      if (!(error instanceof VhostUserError)) throw error;
    }
    if (rule === "closed") front.close();
    await until(() => ends.length === 1, "the end");
    expect(ends).toEqual([rule]);
    expect(device.status).toBe(0);
    if (rule !== "closed") front.close();
    // The next one is served, and has memory as always.
    const next = await ScriptedFrontEnd.connect(path);
    await next.setUp();
    const ring = await next.startRing(0);
    ring.submit(3);
    expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    expect(registered()).toBe(0);
    next.close();
    await until(() => ends.length === 2);
    await until(() => openFiles() <= files, "as few open files as before");
    expect(guestMappings()).toBe(mappings);
  });

  it("may advise of it, and have everything come before the guest moves", async () => {
    const { path, ends, errors } = await serveDisk();
    const files = openFiles();
    const front = await ScriptedFrontEnd.connect(path);
    await negotiate(front);
    const faults = await advise(front);
    front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
    const ring = await front.startRing(0);
    expect(registered()).toBe(0);
    ring.submit(3);
    expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    closeSync(faults);
    front.close();
    await until(() => ends.length === 1);
    expect([errors, ends]).toEqual([[], ["closed"]]);
    await until(() => openFiles() <= files, "as few open files as before");
  });

  it("may say a thing twice, as QEMU does for a card of many queues, and add memory in pieces", async () => {
    const { path, ends, errors } = await serveDisk();
    const files = openFiles();
    const front = await ScriptedFrontEnd.connect(path);
    await negotiate(front);
    const faults = [await advise(front), await advise(front)];
    await listen(front);
    await listen(front);
    // Nothing has changed.
    front.send("NONE", "u64", 0n);
    for (const [region, fd] of [
      [front.region, front.memoryFile],
      [other, front.file(8192)],
      [front.region, front.memoryFile],
    ] as const) {
      front.send("ADD_MEM_REG", "memoryRegion", region, { fds: [fd] });
      const mine = decodePayload("memoryRegion", await front.receive());
      expect(mine).toEqual({ ...region, userAddress: mine.userAddress });
      expect(mine.userAddress).not.toBe(region.userAddress);
    }
    expect(registered()).toBe(2);
    front.send("ADD_MEM_REG", "u64", 0n);
    // The same again, which is there, and one thing less.
    front.send("ADD_MEM_REG", "memoryRegion", front.region, { fds: [front.memoryFile] });
    await front.receive();
    front.send("REM_MEM_REG", "memoryRegion", other);
    front.send("REM_MEM_REG", "u64", 0n);
    expect(await front.askNumber("GET_MAX_MEM_SLOTS")).toBe(256n);
    expect(registered()).toBe(1);
    for (let times = 0; times < 2; times++) {
      expect(decodePayload("u64", await front.ask("POSTCOPY_END", "none", undefined))).toBe(0n);
    }
    for (const fd of faults) closeSync(fd);
    expect(registered()).toBe(0);
    const ring = await front.startRing(0);
    ring.submit(3);
    expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    front.close();
    await until(() => ends.length === 1);
    expect([errors, ends]).toEqual([[], ["closed"]]);
    await until(() => openFiles() <= files, "as few open files as before");
  });
});
