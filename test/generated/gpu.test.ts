import { describe, expect, test } from "vitest";
import { GpuDevice, GpuDriver, GpuEvents, GpuHdrFlags, type GpuControl } from "../../generated/gpu.js";
import type { DriverTransport } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { mmioMachine, pciMachine } from "../runtime/transport/machines.js";

const MODE = { r: { x: 0, y: 0, width: 1024, height: 768 }, enabled: 1, flags: 0 };
const OFF = { r: { x: 0, y: 0, width: 0, height: 0 }, enabled: 0, flags: 0 };
const CAPSET = Uint8Array.of(9, 8, 7);

function control(request: GpuControl) {
  // A fence in the request is in the response, too.
  const { flags, fenceId, ctxId } = request;
  switch (request.type) {
    case "CMD_GET_DISPLAY_INFO":
      return request.complete({ type: "RESP_OK_DISPLAY_INFO", pmodes: [MODE, ...new Array<typeof OFF>(15).fill(OFF)] });
    case "CMD_GET_EDID": {
      if (request.scanout !== 0) return request.complete("RESP_ERR_INVALID_SCANOUT_ID");
      return request.complete({ type: "RESP_OK_EDID", size: 3, edid: new Uint8Array(1024).fill(5) });
    }
    case "CMD_RESOURCE_CREATE_2D":
      return request.complete({ type: "RESP_OK_NODATA", flags, fenceId, ctxId });
    case "CMD_RESOURCE_ATTACH_BACKING":
      return request.complete(request.entries.length === 2 ? "RESP_OK_NODATA" : "RESP_ERR_UNSPEC");
    case "CMD_GET_CAPSET":
      if (request.capsetId === 0) return request.complete("RESP_ERR_INVALID_PARAMETER");
      request.capsetData.write(CAPSET);
      return request.complete("RESP_OK_CAPSET");
    default:
      return request.complete("RESP_ERR_UNSPEC");
  }
}

async function start() {
  const moves: number[] = [];
  const device = new GpuDevice({
    features: ["EDID"],
    config: { eventsRead: 0, numScanouts: 1, numCapsets: 1, blobAlignment: 4096 },
    controlq: control,
    cursorq: (request) => {
      moves.push(request.pos.x);
      return request.complete({ hdr: { ...ZERO, type: "RESP_OK_NODATA", fenceId: request.hdr.fenceId } });
    },
  });
  return { moves, driver: await GpuDriver.start(loopback(device), { features: ["EDID"] }) };
}

const ZERO = { flags: 0, fenceId: 0n, ctxId: 0, ringIdx: 0 };

test("responses have codes of their own, and what belongs to them", async () => {
  const { driver } = await start();
  const { controlq } = driver;
  const display = await controlq.submit({ type: "CMD_GET_DISPLAY_INFO" });
  if (display.type !== "RESP_OK_DISPLAY_INFO") throw new Error(String(display.type));
  expect(display.pmodes[0]).toEqual(MODE);
  const edid = await controlq.submit({ type: "CMD_GET_EDID", scanout: 0 });
  expect(edid).toMatchObject({ ...ZERO, type: "RESP_OK_EDID", size: 3 });
  expect(await controlq.submit({ type: "CMD_GET_EDID", scanout: 5 })).toEqual({
    ...ZERO,
    type: "RESP_ERR_INVALID_SCANOUT_ID",
  });
  await driver.stop();
});

test("a fence is echoed, and is zero where nobody asked for one", async () => {
  const { driver } = await start();
  const create = { type: "CMD_RESOURCE_CREATE_2D", resourceId: 1, format: "B8G8R8A8_UNORM", width: 4, height: 4 } as const;
  expect(await driver.controlq.submit({ ...create, flags: GpuHdrFlags.FENCE, fenceId: 77n, ctxId: 3 })).toEqual({
    type: "RESP_OK_NODATA",
    flags: GpuHdrFlags.FENCE,
    fenceId: 77n,
    ctxId: 3,
    ringIdx: 0,
  });
  expect(await driver.controlq.submit(create)).toEqual({ ...ZERO, type: "RESP_OK_NODATA" });
  await driver.stop();
});

test("entries by their number, and bytes as many as the device has", async () => {
  const { driver } = await start();
  const { controlq } = driver;
  const entry = { addr: 0x1000n, length: 4096 };
  const attach = { type: "CMD_RESOURCE_ATTACH_BACKING", resourceId: 1 } as const;
  expect(await controlq.submit({ ...attach, entries: [entry, entry] })).toEqual({ ...ZERO, type: "RESP_OK_NODATA" });
  const capset = { type: "CMD_GET_CAPSET", capsetVersion: 1, capsetData: 100 } as const;
  expect(await controlq.submit({ ...capset, capsetId: 1 })).toEqual({
    ...ZERO,
    type: "RESP_OK_CAPSET",
    capsetData: CAPSET,
  });
  expect(await controlq.submit({ ...capset, capsetId: 0 })).toEqual({ ...ZERO, type: "RESP_ERR_INVALID_PARAMETER" });
  await driver.stop();
});

test("the cursor has a queue of its own", async () => {
  const { driver, moves } = await start();
  const reply = await driver.cursorq.submit({
    hdr: { ...ZERO, type: "CMD_MOVE_CURSOR" },
    pos: { scanoutId: 0, x: 12, y: 13 },
    resourceId: 0,
    hotX: 0,
    hotY: 0,
    wantsHdr: true,
  });
  expect(reply.hdr?.type).toBe("RESP_OK_NODATA");
  expect(moves).toEqual([12]);
  await driver.stop();
});

const ways: Record<string, (device: GpuDevice) => DriverTransport | Promise<DriverTransport>> = {
  loopback,
  PCI: (device) => pciMachine(device).open(),
  MMIO: (device) => mmioMachine(device).open(),
};

describe.each(Object.entries(ways))("events over %s", (_, open) => {
  test("ones in events_clear clear them, the author is told which, and others stay", async () => {
    const cleared: number[] = [];
    const device = new GpuDevice({
      config: { eventsRead: 0x4000_0002, numScanouts: 1, numCapsets: 0, blobAlignment: 4096 },
      controlq: control,
      cursorq: (request) => request.complete({ hdr: { ...ZERO, type: "RESP_OK_NODATA" } }),
      // They are cleared by then.
      configWritten: { eventsClear: (value) => void cleared.push(value, device.config.eventsRead) },
    });
    const driver = await GpuDriver.start(await open(device));
    const told = new Promise((resolve) => (driver.onConfigChange = resolve));
    device.config.eventsRead |= GpuEvents.DISPLAY;
    expect(await told).toMatchObject({ eventsRead: 0x4000_0003, eventsClear: 0 });
    const { configGeneration } = device;
    await driver.writeConfig({ eventsClear: GpuEvents.DISPLAY });
    expect(cleared).toEqual([GpuEvents.DISPLAY, 0x4000_0002]);
    expect(driver.config).toMatchObject({ eventsRead: 0x4000_0002, eventsClear: 0 });
    // It was not the device that changed something, so it tells nobody.
    expect(device.configGeneration).toBe(configGeneration);
    // The event is there again when it happens again.
    device.config.eventsRead |= GpuEvents.DISPLAY;
    await driver.writeConfig({ eventsClear: 0xffff_ffff });
    expect(device.config).toMatchObject({ eventsRead: 0, eventsClear: 0 });
    expect(cleared.slice(2)).toEqual([0xffff_ffff, 0]);
    await driver.stop();
  });
});
