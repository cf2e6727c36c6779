import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BlkDevice, BlkDriver, type BlkLifetime, type BlkRequest, type BlkStatus, type BlkZoneReport } from "../../generated/blk.js";
import { CodecError } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const ALL = [
  "SIZE_MAX",
  "SEG_MAX",
  "GEOMETRY",
  "BLK_SIZE",
  "FLUSH",
  "TOPOLOGY",
  "CONFIG_WCE",
  "MQ",
  "DISCARD",
  "WRITE_ZEROES",
  "LIFETIME",
  "SECURE_ERASE",
  "ZONED",
] as const;

const lifetime: BlkLifetime = { preEolInfo: "WARNING", deviceLifetimeEstTypA: 3, deviceLifetimeEstTypB: 0xffff };
const report: BlkZoneReport = {
  nrZones: 1n,
  zones: [{ zCap: 1024n, zStart: 2048n, zWp: 2050n, zType: "SWR", zState: "IOPEN" }],
};

describe("every request over loopback", () => {
  const disk = new Uint8Array(64 * 512);
  const seen: string[] = [];
  let driver: BlkDriver;
  let writeback: number | undefined;

  function serve(request: BlkRequest) {
    seen.push(`${request.type} ${request.sectorNumber}`);
    const at = request.sectorNumber * 512;
    switch (request.type) {
      case "IN":
        request.data.write(disk, at);
        return request.complete("OK");
      case "OUT":
        request.data.read(disk, at);
        return request.complete("OK");
      case "GET_ID":
        return request.complete({ id: "a disk", status: "OK" });
      case "GET_LIFETIME":
        return request.complete({ lifetime, status: "OK" });
      case "DISCARD":
      case "WRITE_ZEROES":
      case "SECURE_ERASE":
        for (const { sector, numSectors } of request.segments) disk.fill(0, Number(sector) * 512, (Number(sector) + numSectors) * 512);
        return request.complete("OK");
      case "ZONE_APPEND":
        request.data.read(disk, at + 1024);
        return request.complete({ appendSector: request.sector + 2n, status: "OK" });
      case "ZONE_REPORT":
        return request.complete({ report, status: "OK" });
      case "ZONE_OPEN":
      case "ZONE_CLOSE":
      case "ZONE_FINISH":
      case "ZONE_RESET":
      case "ZONE_RESET_ALL":
        return request.complete("ZONE_INVALID_CMD");
      default:
        return request.complete(request.type === "FLUSH" ? "OK" : "UNSUPP");
    }
  }

  beforeEach(async () => {
    disk.fill(0);
    seen.length = 0;
    const device = new BlkDevice({
      features: ALL,
      config: { capacity: 64n, segMax: 126, numQueues: 3, geometry: { cylinders: 1, heads: 2, sectors: 3 } },
      requestq: serve,
      configWritten: {
        writeback(value) {
          writeback = value;
        },
      },
    });
    driver = await BlkDriver.start(loopback(device), { features: ALL });
  });
  afterEach(() => driver.stop());

  test("the configuration is typed, and what was not negotiated is undefined", async () => {
    expect(driver.config.capacity).toBe(64n);
    expect(driver.config.geometry).toEqual({ cylinders: 1, heads: 2, sectors: 3 });
    await driver.writeConfig({ writeback: 1 });
    expect(writeback).toBe(1);
    expect(driver.config.writeback).toBe(1);
  });

  test("write, then read", async () => {
    const data = Uint8Array.from({ length: 1024 }, (_, index) => index * 7);
    const { status } = await driver.requestq.submit({ type: "OUT", sector: 3n, data });
    expect(status).toBe("OK");
    const reply = await driver.requestq.submit({ type: "IN", sector: 3n, data: 1024 });
    expect(reply).toEqual({ status: "OK", data });
    expect(seen).toEqual(["OUT 3", "IN 3"]);
  });

  test("there is a queue for each that the configuration says", async () => {
    expect(driver.requestqs).toHaveLength(3);
    for (const queue of driver.requestqs) {
      expect(await queue.submit({ type: "FLUSH", sector: 0n })).toEqual({ status: "OK" });
    }
  });

  test("identifier and lifetime", async () => {
    expect(await driver.requestq.submit({ type: "GET_ID", sector: 0n })).toEqual({ id: "a disk", status: "OK" });
    expect(await driver.requestq.submit({ type: "GET_LIFETIME", sector: 0n })).toEqual({ lifetime, status: "OK" });
  });

  test.each(["DISCARD", "WRITE_ZEROES", "SECURE_ERASE"] as const)("%s takes ranges", async (type) => {
    disk.fill(0xff);
    const segments = [
      { sector: 1n, numSectors: 2, flags: { unmap: false } },
      { sector: 10n, numSectors: 1, flags: { unmap: true } },
    ];
    const reply = await driver.requestq.submit({ type, sector: 0n, segments });
    expect(reply).toEqual({ status: "OK" });
    const cleared = Array.from({ length: 64 }, (_, sector) => sector).filter((sector) => disk[sector * 512] === 0);
    expect(cleared).toEqual([1, 2, 10]);
  });

  test("zones", async () => {
    const data = new Uint8Array(512).fill(9);
    expect(await driver.requestq.submit({ type: "ZONE_APPEND", sector: 4n, data })).toEqual({ appendSector: 6n, status: "OK" });
    expect(disk[6 * 512]).toBe(9);
    const reply = await driver.requestq.submit({ type: "ZONE_REPORT", sector: 0n, report: 128 });
    expect(reply).toEqual({ report, status: "OK" });
    for (const type of ["ZONE_OPEN", "ZONE_CLOSE", "ZONE_FINISH", "ZONE_RESET"] as const) {
      expect(await driver.requestq.submit({ type, sector: 0n })).toEqual({ status: "ZONE_INVALID_CMD" });
    }
    expect(await driver.requestq.submit({ type: "ZONE_RESET_ALL", sector: 0n })).toEqual({ status: "ZONE_INVALID_CMD" });
  });

  test("a report that does not fit is not written", async () => {
    const small = driver.requestq.submit({ type: "ZONE_REPORT", sector: 0n, report: 64 });
    await expect(small).rejects.toBeInstanceOf(CodecError);
  });
});

test("completions may come later, and in any order", async () => {
  const held: { sector: number; done(status: BlkStatus): void }[] = [];
  const device = new BlkDevice({
    config: { capacity: 8n },
    requestq(request) {
      if (request.type === "FLUSH") held.push({ sector: request.sectorNumber, done: (status) => void request.complete(status) });
      else request.complete("UNSUPP");
    },
  });
  const driver = await BlkDriver.start(loopback(device));
  const replies = [0n, 1n, 2n].map((sector) => driver.requestq.submit({ type: "FLUSH", sector }));
  while (held.length < 3) await new Promise((resolve) => setTimeout(resolve, 0));
  for (const request of held.reverse()) request.done(request.sector === 1 ? "IOERR" : "OK");
  expect((await Promise.all(replies)).map((reply) => reply.status)).toEqual(["OK", "IOERR", "OK"]);
  await driver.stop();
});

test("a handler that throws or rejects, now or later, is an error for the driver", async () => {
  const errors: string[] = [];
  const device = new BlkDevice({
    config: { capacity: 8n },
    requestq(request) {
      if (request.sectorNumber === 1) throw new Error("now");
      return new Promise((_, reject) => setTimeout(() => reject(new Error("later")), 1));
    },
  });
  device.onProtocolError = (error) => errors.push(error.message);
  const driver = await BlkDriver.start(loopback(device));
  expect((await driver.requestq.submit({ type: "IN", sector: 1n, data: 512 })).status).toBe("IOERR");
  expect((await driver.requestq.submit({ type: "FLUSH", sector: 2n })).status).toBe("IOERR");
  expect((await driver.requestq.submit({ type: "GET_ID", sector: 3n })).status).toBe("IOERR");
  expect(errors).toEqual(["handler of queue 0: now", "handler of queue 0: later", "handler of queue 0: later"]);
  await driver.stop();
});

test("a configuration that breaks a rule is refused", () => {
  const make = () => new BlkDevice({ features: ["MQ"], config: { capacity: 8n, numQueues: 0 }, requestq: (request) => request.complete("UNSUPP") });
  expect(make).toThrow(/num_queues >= 1/);
});
