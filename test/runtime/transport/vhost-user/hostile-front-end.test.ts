import { closeSync, ftruncateSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  decodePayload,
  encodePayload,
  ProtocolFeature,
  VhostUserError,
} from "../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { openFiles } from "../../fixtures/process-state.js";
import { attacks, raw, region, words, type Attack } from "./front-end-attacks.js";
import { guestStart, memoryBytes, pause, ScriptedFrontEnd, until, userStart } from "./scripted-front-end.js";
import { requireVhostUser } from "./served-device.js";
import { serveDisk, type ServedDisk } from "./served-disk.js";
import { forgetWorkerProgram, makeWorkerProgram, spreadDisk } from "./spread-disk.js";

/** A front end that does nothing wrong is served. */
async function serveOne({ path }: ServedDisk): Promise<void> {
  const front = await ScriptedFrontEnd.connect(path);
  await front.setUp();
  const ring = await front.startRing(0);
  ring.submit(3);
  expect(await ring.completions(1)).toMatchObject([{ first: 3, status: 0 }]);
  front.close();
}

/** The attack ends as the table says, and the next front end is served. */
async function suffer(disk: ServedDisk, { rule, what, attack }: Attack): Promise<void> {
  const { path, ends, device } = disk;
  ends.length = 0;
  const front = await ScriptedFrontEnd.connect(path);
  await front.setUp();
  try {
    await attack(front, () => front.startRing(0));
  } catch (error) {
    // The connection may be over before the last word.
    if (!(error instanceof VhostUserError)) throw error;
  }
  await until(() => ends.length === 1, "the end");
  expect(ends, what).toEqual([rule]);
  expect(device.status).toBe(0);
  front.close();
  await serveOne(disk);
  await until(() => ends.length === 2);
}

describe.runIf(await requireVhostUser())("a hostile front end", () => {
  it.each(attacks)("input $input, $what: $rule", async (attack) => {
    const disk = await serveDisk();
    const before = openFiles();
    await suffer(disk, attack);
    await until(() => openFiles() <= before, "as few open files as before");
  });

  it("is no better off when queues are spread over Workers", { timeout: 600_000 }, async () => {
    await makeWorkerProgram();
    onTestFinished(forgetWorkerProgram);
    const disk = await spreadDisk();
    await serveOne(disk);
    await until(() => disk.ends.length === 1);
    const before = openFiles();
    for (const attack of attacks) {
      await suffer(disk, attack);
      await until(() => openFiles() <= before, `as few open files as before: ${attack.what}`);
    }
    expect(disk.started).toHaveLength(2);
  });

  it("is told with an acknowledgement, and goes on, where it asks for one", async () => {
    const { path, ends, errors } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    expect(await front.acknowledged("SET_VRING_NUM", "vringState", { index: 0, num: 0 })).toBe(false);
    expect(await front.acknowledged("SET_VRING_NUM", "vringState", { index: 9, num: 16 })).toBe(false);
    expect(await front.acknowledged("ADD_MEM_REG", "memoryRegion", region(), [front.file(1)])).toBe(false);
    expect(errors.map((error) => (error instanceof VhostUserError ? error.rule : String(error)))).toEqual([
      "ring-size",
      "ring-index",
      "region-file",
    ]);
    const ring = await front.startRing(0);
    ring.submit(3);
    await ring.completions(1);
    front.close();
    await until(() => ends.length === 1);
    expect(ends).toEqual(["closed"]);
  });

  it("is told of the request that negotiates acknowledgements, too, if it asks", async () => {
    const { path } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.askNumber("GET_FEATURES");
    const wanted = 1n << BigInt(ProtocolFeature.REPLY_ACK);
    front.send("SET_PROTOCOL_FEATURES", "u64", wanted, { needReply: true });
    expect(decodePayload("u64", await front.receive())).toBe(0n);
    // The one with which it gives them up was asked for under them.
    front.send("SET_PROTOCOL_FEATURES", "u64", 0n, { needReply: true });
    expect(decodePayload("u64", await front.receive())).toBe(0n);
    // From here on nobody is told.
    front.send("SET_OWNER", "none", undefined, { needReply: true });
    expect((await front.ask("GET_FEATURES", "none", undefined)).name).toBe("GET_FEATURES");
    front.close();
  });

  it("may break its ring: the device needs a reset, and the next front end gets a new start", async () => {
    const { path, errors, device, ends } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const ring = await front.startRing(0);
    const at = front.memory.locate(ring.addresses.driver, 4);
    at?.view.setUint16(ring.addresses.driver - at.start + 2, 1000, true);
    ring.kick.signal();
    await until(() => errors.length > 0);
    expect(errors[0]?.name).toBe("RingError");
    expect(device.status & 64).toBe(64);
    expect((await front.askNumber("GET_STATUS")) & 64n).toBe(64n);
    front.close();
    await until(() => ends.length === 1);
    expect(device.status).toBe(0);
  });

  it("may leave at any byte of its set-up", { timeout: 600_000 }, async () => {
    const { path, ends } = await serveDisk();
    const before = openFiles();
    const table = encodePayload("memoryTable", [
      { guestAddress: guestStart, size: memoryBytes, userAddress: userStart, fileOffset: 0 },
    ]);
    const stream = new Uint8Array([
      ...words(2, 1, 8, 0x4000_0000, 1),
      ...words(5, 1, table.length),
      ...table,
      ...words(8, 1, 8, 0, 16),
      ...words(12, 1, 8, 0x100, 0),
    ]);
    for (let cut = 0; cut <= stream.length; cut += 3) {
      const front = await ScriptedFrontEnd.connect(path);
      if (cut > 0) raw(front, stream.subarray(0, Math.min(cut, 20)));
      if (cut > 20) raw(front, stream.subarray(20, cut), [front.memoryFile]);
      const ended = ends.length;
      front.close();
      await until(() => ends.length > ended);
    }
    await until(() => openFiles() <= before, "as few open files as before");
    for (const end of ends) expect(["closed", "cut-short"]).toContain(end);
  });

  it("may cut its memory short, which the system lets it: nothing is touched when it was before the mapping", async () => {
    const { path, ends } = await serveDisk();
    const front = await ScriptedFrontEnd.connect(path);
    await front.setUp();
    const file = front.system.memfd("test", 0);
    ftruncateSync(file, 1 << 20);
    ftruncateSync(file, 4096);
    front.send("ADD_MEM_REG", "memoryRegion", region({ size: 1 << 20 }), { fds: [file] });
    await until(() => ends.length === 1);
    expect(ends).toEqual(["region-file"]);
    closeSync(file);
    front.close();
    await pause(1);
  });
});
