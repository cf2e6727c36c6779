import { expect, test } from "vitest";
import { MemDevice, MemDriver, type MemState } from "../../generated/mem.js";
import { DeviceOptionsError } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const BLOCK = 0x20_0000n;
const START = 0x1_0000_0000n;
const config = {
  blockSize: BLOCK,
  addr: START,
  regionSize: 8n * BLOCK,
  usableRegionSize: 8n * BLOCK,
  pluggedSize: 0n,
  requestedSize: 4n * BLOCK,
};

async function start() {
  const plugged = new Array<boolean>(8).fill(false);
  const device: MemDevice = new MemDevice({
    config,
    guestRequest(request) {
      const blocks = (of: { addr: bigint; nbBlocks: number }): number[] =>
        Array.from({ length: of.nbBlocks }, (_, index) => Number((of.addr - START) / BLOCK) + index);
      const set = (list: readonly number[], value: boolean): "ACK" | "ERROR" => {
        if (list.some((block) => plugged[block] !== !value)) return "ERROR";
        for (const block of list) plugged[block] = value;
        device.config.pluggedSize = BigInt(plugged.filter(Boolean).length) * BLOCK;
        return "ACK";
      };
      switch (request.type) {
        case "PLUG": {
          const list = blocks(request.plug);
          const size = BigInt(plugged.filter(Boolean).length + list.length) * BLOCK;
          return request.complete(size > device.config.requestedSize ? "NACK" : set(list, true));
        }
        case "UNPLUG":
          return request.complete(set(blocks(request.unplug), false));
        case "UNPLUG_ALL":
          plugged.fill(false);
          device.config.pluggedSize = 0n;
          return request.complete("ACK");
        case "STATE": {
          const states = blocks(request.state).map((block) => plugged[block]);
          if (states.includes(undefined)) return request.complete("ERROR");
          const type: MemState = states.every(Boolean) ? "PLUGGED" : states.some(Boolean) ? "MIXED" : "UNPLUGGED";
          return request.complete({ type: "ACK", state: { type } });
        }
        default:
          return request.complete("ERROR");
      }
    },
  });
  const lengths: number[] = [];
  const transport = loopback(device, { trace: (event) => event.kind === "completion" && lengths.push(event.written) });
  return { device, driver: await MemDriver.start(transport), lengths };
}

const at = (block: number, nbBlocks: number) => ({ addr: START + BigInt(block) * BLOCK, nbBlocks });

test("plug, look, unplug", async () => {
  const { device, driver, lengths } = await start();
  const { guestRequest } = driver;
  expect(await guestRequest.submit({ type: "PLUG", plug: at(0, 3) })).toEqual({ type: "ACK" });
  expect(await guestRequest.submit({ type: "PLUG", plug: at(3, 3) })).toEqual({ type: "NACK" });
  expect(await guestRequest.submit({ type: "STATE", state: at(0, 3) })).toEqual({ type: "ACK", state: { type: "PLUGGED" } });
  expect(await guestRequest.submit({ type: "UNPLUG", unplug: at(0, 1) })).toEqual({ type: "ACK" });
  expect(await guestRequest.submit({ type: "UNPLUG", unplug: at(0, 1) })).toEqual({ type: "ERROR" });
  expect(await guestRequest.submit({ type: "STATE", state: at(0, 3) })).toEqual({ type: "ACK", state: { type: "MIXED" } });
  expect(await guestRequest.submit({ type: "STATE", state: at(7, 3) })).toEqual({ type: "ERROR", state: undefined });
  expect(device.config.pluggedSize).toBe(2n * BLOCK);
  expect(await guestRequest.submit({ type: "UNPLUG_ALL" })).toEqual({ type: "ACK" });
  expect((await driver.refreshConfig()).pluggedSize).toBe(0n);
  // The response has 10 bytes, whatever is in it.
  expect(new Set(lengths)).toEqual(new Set([10]));
  await driver.stop();
});

test("a configuration with a block size that is no power of two is refused", () => {
  const make = () => new MemDevice({ config: { ...config, blockSize: 3n }, guestRequest: (request) => request.complete("ERROR") });
  expect(make).toThrow(DeviceOptionsError);
});
