import { closeSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { canHandOverFaults, loadSystemCalls } from "../../../../src/runtime/transport/posix/index.js";
import { decodePayload } from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { requirePeer } from "../../../interop/peers.js";
import { contentOf, PAGE } from "./fault-answers-data.js";
import { FaultAnswers, forgetFaultAnswerer, makeFaultAnswerer } from "./fault-answers.js";
import { guestStart, memoryBytes, ScriptedFrontEnd, until, userStart } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { SECTOR, serveDisk } from "./served-disk.js";
import { advise, listen, negotiate, transfer, transferred } from "./post-copy-front-end.js";

const openFiles = (): number => readdirSync("/proc/self/fd").length;
const registered = (): number => readFileSync("/proc/self/smaps", "utf8").match(/^VmFlags:.* um /gm)?.length ?? 0;

/** A page that neither rings nor requests of the test are in. */
const far = (page: number): number => memoryBytes / PAGE - 1 - page;
const addressOf = (page: number): number => guestStart + page * PAGE;

const possible =
  (await requireVhostUser()) &&
  (await requirePeer("userfaultfd", async () =>
    canHandOverFaults(await loadSystemCalls()) ? undefined : "the system does not give one to this program",
  ));

beforeAll(makeFaultAnswerer);
afterAll(forgetFaultAnswerer);

describe.runIf(possible)("post-copy migration", () => {
  it("waits for the pages that it reads and writes, each once", { timeout: 60_000 }, async () => {
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
    expect(openFiles()).toBe(before);
  });
});
