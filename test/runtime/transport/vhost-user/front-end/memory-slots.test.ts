import { randomBytes } from "node:crypto";
import { fstatSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { BlkDriver } from "../../../../../generated/blk.js";
import { FeatureSet } from "../../../../../src/runtime/index.js";
import {
  type ConnectOptions,
  type VhostUserDriverTransport,
} from "../../../../../src/runtime/transport/vhost-user/index.js";
import {
  decodePayload,
  MessageChannel,
  ProtocolFeature,
} from "../../../../../src/runtime/transport/vhost-user/protocol/index.js";
import { useAtRandom } from "../../../fixtures/random-requests.js";
import { RamDisk } from "../../../../interop/linux/ram-disk.js";
import { openVhostUser } from "../both-ends.js";
import { type ScriptedBackEnd, u64, type ScriptedReply } from "../scripted-back-end.js";
import { ScriptedConnection } from "../scripted-connection.js";
import { until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

const bit = (number: number): bigint => 1n << BigInt(number);
const SLOTS = bit(ProtocolFeature.CONFIGURE_MEM_SLOTS);
const SIZE = 1 << 20;
const ring = { size: 8, descriptor: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 };

describe.runIf(await requireVhostUser())("memory that a back end is given as a slot", () => {
  const connection = new ScriptedConnection();
  const { ends } = connection;
  let back: ScriptedBackEnd;

  beforeEach(async () => {
    back = await connection.begin();
    back.protocolFeatures |= SLOTS;
  });
  afterEach(() => connection.end());

  const open = (options: Partial<ConnectOptions> = {}): Promise<VhostUserDriverTransport> =>
    connection.open({ patience: 2000, ...options });
  async function start(on: VhostUserDriverTransport): Promise<void> {
    await on.setStatus(3);
    await on.setFeatures(FeatureSet.of([32]));
    await on.enableQueue(0, ring);
    await on.setStatus(15);
  }
  const memoryMessages = (connection: number): string[] =>
    back.names(connection).filter((name) => name.includes("MEM"));
  /** Of a connection. */
  function agreed(connection: number): bigint {
    const told = back.seen[connection]?.find(({ name }) => name === "SET_PROTOCOL_FEATURES");
    return told === undefined ? 0n : decodePayload("u64", told);
  }

  it("is all of it, with the file that it is in", async () => {
    const given: { readonly size: number; readonly isFile: boolean }[] = [];
    back.script = (name, { fds }) => {
      if (name !== "ADD_MEM_REG") return undefined;
      for (const fd of fds) {
        const found = fstatSync(fd);
        given.push({ size: found.size, isFile: found.isFile() });
      }
      return undefined;
    };
    await open();
    expect(memoryMessages(0)).toEqual(["GET_MAX_MEM_SLOTS", "ADD_MEM_REG"]);
    const added = back.seen[0]?.find(({ name }) => name === "ADD_MEM_REG");
    const region = { guestAddress: 0x10_0000, userAddress: 0x10_0000, fileOffset: 0, size: SIZE };
    expect(added && decodePayload("memoryRegion", added)).toEqual(region);
    expect(given).toEqual([{ size: SIZE, isFile: true }]);
    expect(added?.needReply).toBe(true);
  });

  it.each([
    { what: "has no slots", without: ProtocolFeature.CONFIGURE_MEM_SLOTS },
    { what: "acknowledges nothing", without: ProtocolFeature.REPLY_ACK },
  ])("is a table where a back end $what", async ({ without }) => {
    back.protocolFeatures &= ~bit(without);
    await open();
    await until(() => memoryMessages(0).length > 0);
    expect(memoryMessages(0)).toEqual(["SET_MEM_TABLE"]);
    expect(agreed(0) & SLOTS).toBe(0n);
  });

  it.each<[string, "GET_MAX_MEM_SLOTS" | "ADD_MEM_REG", ScriptedReply | "nothing" | "gone", string]>([
    ["has room for nothing", "GET_MAX_MEM_SLOTS", u64(0n), "region-count"],
    ["says half a number", "GET_MAX_MEM_SLOTS", { payload: new Uint8Array(4) }, "payload-size"],
    ["does not say how many", "GET_MAX_MEM_SLOTS", "nothing", "unanswered"],
    ["is gone when it is asked", "GET_MAX_MEM_SLOTS", "gone", "peer-gone"],
    ["does not take it", "ADD_MEM_REG", u64(1n), "refused"],
    ["gives it back", "ADD_MEM_REG", { payload: new Uint8Array(40) }, "payload-size"],
    ["does not say whether it took it", "ADD_MEM_REG", "nothing", "unanswered"],
    ["is gone with it", "ADD_MEM_REG", "gone", "peer-gone"],
  ])("is not given to one that %s", async (_, when, answer, rule) => {
    back.script = (name) => (name === when ? answer : undefined);
    await expect(open()).rejects.toMatchObject({ rule });
    expect(back.names(0).at(-1)).toBe(when);
    expect(ends).toEqual([]);
  });

  it("is given to one that has more slots than there can be", async () => {
    back.script = (name) => (name === "GET_MAX_MEM_SLOTS" ? u64(0xffff_ffff_ffff_ffffn) : undefined);
    await open();
    expect(memoryMessages(0)).toEqual(["GET_MAX_MEM_SLOTS", "ADD_MEM_REG"]);
  });

  it("is given to the next back end as that one has it", async () => {
    let returned = 0;
    const on = await open({ reconnect: { delay: 1, longestDelay: 20, onReturn: () => returned++ } });
    await start(on);
    back.protocolFeatures &= ~SLOTS;
    back.cutOff();
    await until(() => returned === 1);
    expect(memoryMessages(1)).toEqual(["SET_MEM_TABLE"]);
    back.protocolFeatures |= SLOTS;
    back.cutOff();
    await until(() => returned === 2);
    expect(memoryMessages(2)).toEqual(["GET_MAX_MEM_SLOTS", "ADD_MEM_REG"]);
    expect(await on.getStatus()).toBe(15);
    // This one has none left.
    back.script = (name) => (name === "GET_MAX_MEM_SLOTS" ? u64(0n) : undefined);
    back.cutOff();
    await until(() => ends.length === 1);
    expect(ends).toMatchObject([{ rule: "region-count" }]);
  });
});

it.runIf(await requireVhostUser())("a slot of memory is worked on by our own back end", async () => {
  const sent = vi.spyOn(MessageChannel.prototype, "request");
  onTestFinished(() => void vi.restoreAllMocks());
  const disk = new RamDisk(SIZE, SIZE, 2);
  const model = randomBytes(SIZE);
  model.copy(disk.bytes);
  const both = await openVhostUser(disk.device, { connect: { memorySize: 16 << 20 } });
  const driver = await BlkDriver.start(both, { features: ["MQ", "FLUSH"] });
  await useAtRandom(driver, model, 30);
  expect(disk.bytes.equals(model)).toBe(true);
  await driver.stop();
  both.close();
  const names = sent.mock.calls.map(([name]) => String(name)).filter((name) => name.includes("MEM"));
  expect(names).toEqual(["GET_MAX_MEM_SLOTS", "ADD_MEM_REG"]);
});
