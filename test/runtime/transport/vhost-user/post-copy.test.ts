import { closeSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../fixtures/process-state.js";
import { requireUserFaults } from "../../../interop/user-faults.js";
import { contentOf, PAGE } from "./fault-answers-data.js";
import { FaultAnswers, forgetFaultAnswerer, makeFaultAnswerer } from "./fault-answers.js";
import { guestStart, memoryBytes, pause, plain, ScriptedFrontEnd, until, userStart } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { MQ, SECTOR, serveDisk } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";
import { advise, listen, negotiate, transfer, transferred } from "./post-copy-front-end.js";

const registered = (): number => readFileSync("/proc/self/smaps", "utf8").match(/^VmFlags:.* um /gm)?.length ?? 0;

/** A page that neither rings nor requests of the test are in. */
const far = (page: number): number => memoryBytes / PAGE - 1 - page;
const addressOf = (page: number): number => guestStart + page * PAGE;

const possible = (await requireVhostUser()) && (await requireUserFaults());

beforeAll(makeFaultAnswerer);
afterAll(forgetFaultAnswerer);

describe.runIf(possible)("post-copy migration", () => {
  it("waits for the pages that it reads and writes, each once", { timeout: 600_000 }, async () => {
    const { path, disk, errors, ends } = await serveDisk();
    const before = openFiles();
    const front = await ScriptedFrontEnd.connect(path);
    expect(await negotiate(front)).toBe(true);
    const faults = await advise(front);
    await listen(front);
    front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
    const [mine] = decodePayload("memoryTable", await front.receive());
    expect(mine).toMatchObject({ guestAddress: guestStart, size: memoryBytes, fileOffset: 0 });
    expect(mine?.userAddress).not.toBe(userStart);
    const answers = await FaultAnswers.start(faults, [
      { file: front.memoryFile, length: memoryBytes, base: BigInt(mine?.userAddress ?? 0) },
    ]);
    onTestFinished(() => answers.stop());
    expect(registered()).toBe(1);
    front.send("SET_MEM_TABLE", "u64", 0n);

    const ring = await front.startRing(0);
    const atStart = answers.count;
    // The disk takes 8 sectors of a page that is still to come, and gives one for the middle of another.
    transfer(ring, front, { sector: 10, data: addressOf(far(0)), length: PAGE, isWrite: true });
    await transferred(ring);
    expect(answers.count).toBe(atStart + 1);
    expect(disk.subarray(10 * SECTOR, 18 * SECTOR).every((byte) => byte === contentOf(far(0)))).toBe(true);
    transfer(ring, front, { sector: 77, data: addressOf(far(1)) + SECTOR, length: SECTOR, isWrite: false });
    await transferred(ring);
    expect(answers.count).toBe(atStart + 2);
    const page = front.mapping.view(far(1) * PAGE, PAGE);
    expect([...new Set(page.subarray(0, SECTOR))]).toEqual([contentOf(far(1))]);
    expect([...new Set(page.subarray(SECTOR, 2 * SECTOR))]).toEqual([77]);
    expect([...new Set(page.subarray(2 * SECTOR))]).toEqual([contentOf(far(1))]);
    // What has come is there.
    transfer(ring, front, { sector: 78, data: addressOf(far(1)), length: PAGE, isWrite: false });
    await transferred(ring);
    expect(answers.count).toBe(atStart + 2);

    expect(decodePayload("u64", await front.ask("POSTCOPY_END", "none", undefined))).toBe(0n);
    await answers.stop();
    closeSync(faults);
    expect(registered()).toBe(0);
    // Nobody answers any more, and nobody waits: a page without content is zeroes.
    transfer(ring, front, { sector: 20, data: addressOf(far(2)), length: PAGE, isWrite: true });
    await transferred(ring);
    expect(disk.subarray(20 * SECTOR, 28 * SECTOR).every((byte) => byte === 0)).toBe(true);
    front.close();
    await until(() => ends.length === 1);
    expect([errors, ends]).toEqual([[], ["closed"]]);
    await until(() => openFiles() <= before, "as few open files as before");
  });

  it("goes on with zeroes when the front end dies while it waits, and is free for the next one", async () => {
    const { path, disk, ends } = await serveDisk();
    const before = openFiles();
    const front = await ScriptedFrontEnd.connect(path);
    await negotiate(front);
    const faults = await advise(front);
    await listen(front);
    front.send("SET_MEM_TABLE", "memoryTable", [front.region], { fds: [front.memoryFile] });
    const [mine] = decodePayload("memoryTable", await front.receive());
    const base = BigInt(mine?.userAddress ?? 0);
    // Nobody has to wait for the ring.
    front.mapping.view(0, memoryBytes / 2).fill(0);
    const answers = await FaultAnswers.start(faults, [{ file: front.memoryFile, length: memoryBytes, base }], true);
    onTestFinished(() => answers.stop());
    front.send("SET_MEM_TABLE", "u64", 0n);
    const ring = await front.startRing(0);
    expect(answers.count).toBe(0);
    transfer(ring, front, { sector: 10, data: addressOf(far(0)), length: PAGE, isWrite: true });
    front.close();
    await until(() => ends.length === 1, "the end");
    expect([answers.count, ends]).toEqual([1, ["closed"]]);
    expect([...new Set(disk.subarray(10 * SECTOR, 18 * SECTOR))]).toEqual([0]);
    await answers.stop();
    expect(registered()).toBe(0);
    await until(() => openFiles() <= before, "as few open files as before");
    const next = await ScriptedFrontEnd.connect(path);
    await next.setUp();
    const again = await next.startRing(0);
    again.submit(3);
    expect(await again.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
    next.close();
  });

  it("keeps the Worker that touches a page, and nobody else", { timeout: 600_000 }, async () => {
    await makeWorkerProgram();
    onTestFinished(forgetWorkerProgram);
    const { path, sectors, ends, errors } = await spreadDisk();
    const front = await ScriptedFrontEnd.connect(path);
    expect(await negotiate(front, plain | MQ)).toBe(true);
    const faults = await advise(front);
    await listen(front);
    front.send("ADD_MEM_REG", "memoryRegion", front.region, { fds: [front.memoryFile] });
    const base = BigInt(decodePayload("memoryRegion", await front.receive()).userAddress);
    front.mapping.view(0, memoryBytes / 2).fill(0);
    front.send("ADD_MEM_REG", "u64", 0n);
    const rings = [await front.startRing(0), await front.startRing(1)];
    const [first, second] = rings;
    if (first === undefined || second === undefined) throw new Error("no rings");
    // Nobody answers yet: the main thread and the other Worker go on.
    transfer(first, front, { sector: 10, data: addressOf(far(0)), length: PAGE, isWrite: true });
    await pause(50);
    for (let round = 0; round < 20; round++) {
      second.submit(round);
      expect(await second.completions(1)).toMatchObject([{ first: round, status: 0 }]);
      expect(await front.askNumber("GET_QUEUE_NUM")).toBe(4n);
    }
    expect(first.queue.poll()).toBe(-1);
    const answers = await FaultAnswers.start(faults, [{ file: front.memoryFile, length: memoryBytes, base }]);
    onTestFinished(() => answers.stop());
    await transferred(first);
    expect(answers.count).toBe(1);
    expect([...new Set(sectors.subarray(10 * SECTOR, 18 * SECTOR))]).toEqual([contentOf(far(0))]);
    expect(decodePayload("u64", await front.ask("POSTCOPY_END", "none", undefined))).toBe(0n);
    await answers.stop();
    closeSync(faults);
    front.close();
    await until(() => ends.length === 1);
    expect([errors, ends]).toEqual([[], ["closed"]]);
  });

  it(
    "lets a Worker sleep that the front end has forgotten, until the front end dies",
    { timeout: 600_000 },
    async () => {
      await makeWorkerProgram();
      onTestFinished(forgetWorkerProgram);
      const { path, ends } = await spreadDisk();
      const front = await ScriptedFrontEnd.connect(path);
      await negotiate(front);
      const faults = await advise(front);
      await listen(front);
      front.send("ADD_MEM_REG", "memoryRegion", front.region, { fds: [front.memoryFile] });
      await front.receive();
      front.mapping.view(0, memoryBytes / 2).fill(0);
      front.send("ADD_MEM_REG", "u64", 0n);
      const ring = await front.startRing(0);
      transfer(ring, front, { sector: 10, data: addressOf(far(0)), length: PAGE, isWrite: true });
      await pause(50);
      front.close();
      closeSync(faults);
      await until(() => ends.length === 1, "the end");
      expect(ends).toEqual(["closed"]);
      const next = await ScriptedFrontEnd.connect(path);
      await next.setUp();
      const again = await next.startRing(0);
      again.submit(3);
      expect(await again.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
      next.close();
    },
  );
});
