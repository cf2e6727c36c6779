import { expect, test } from "vitest";
import { BalloonDevice, BalloonDriver, type BalloonStatsBuffer } from "../../generated/balloon.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { until } from "./turns.js";

const ALL = ["MUST_TELL_HOST", "STATS_VQ", "DEFLATE_ON_OOM", "FREE_PAGE_HINT", "PAGE_POISON", "PAGE_REPORTING"] as const;

async function start(features: readonly (typeof ALL)[number][] = ALL) {
  const balloon = new Set<number>();
  const log: string[] = [];
  let stats: BalloonStatsBuffer | undefined;
  const device = new BalloonDevice({
    features,
    config: { numPages: 3 },
    inflateq(buffer) {
      for (const page of buffer.pages) balloon.add(page);
      return buffer.complete();
    },
    deflateq(buffer) {
      for (const page of buffer.pages) balloon.delete(page);
      return buffer.complete();
    },
    statsq(buffer) {
      // Held until the device wants new ones.
      stats = buffer;
    },
    freePageVq(request) {
      log.push(request.cmdId === undefined ? `page of ${request.page.length}` : `command ${request.cmdId}`);
      return request.complete();
    },
    reportingVq(request) {
      log.push(`free ${request.pages.length}`);
      return request.complete();
    },
    configWritten: { actual: (value) => void log.push(`actual ${value}`) },
  });
  const driver = await BalloonDriver.start(loopback(device), { features });
  return { device, driver, balloon, log, stats: () => stats };
}

test("inflate, tell how much, deflate", async () => {
  const { device, driver, balloon, log } = await start();
  const wanted: number[] = [];
  driver.onConfigChange = (config) => void wanted.push(config.numPages);
  await driver.inflateq.send({ pages: [1, 2, 0x1000] });
  await driver.writeConfig({ actual: 3 });
  expect([...balloon]).toEqual([1, 2, 0x1000]);
  device.config.numPages = 1;
  await until(() => wanted.length > 0);
  await driver.deflateq.send({ pages: [2, 0x1000] });
  await driver.writeConfig({ actual: 1 });
  expect([...balloon]).toEqual([1]);
  expect(wanted).toEqual([1]);
  expect(log).toEqual(["actual 3", "actual 1"]);
  await driver.stop();
});

test("the device holds the buffer with statistics until it wants new ones", async () => {
  const { driver, stats } = await start();
  let returned = false;
  const sent = driver.statsq?.send({ stats: [{ tag: "MEMFREE", val: 1n << 33n }, { tag: 77, val: 5n }] }).then(() => {
    returned = true;
  });
  await until(() => stats() !== undefined);
  const held = stats();
  expect(held?.stats).toEqual([{ tag: "MEMFREE", val: 1n << 33n }, { tag: 77, val: 5n }]);
  expect(returned).toBe(false);
  expect(held?.complete()).toBe("completed");
  await sent;
  expect(returned).toBe(true);
  await driver.stop();
});

test("hints: a command id, then pages, then the end", async () => {
  const { device, driver, log } = await start();
  device.config.freePageHintCmdId = 5;
  await until(() => driver.config.freePageHintCmdId === 5);
  await driver.freePageVq?.submit({ cmdId: 5, page: 0 });
  await driver.freePageVq?.submit({ page: 4096 });
  await driver.freePageVq?.submit({ cmdId: "STOP", page: 0 });
  await driver.reportingVq?.submit({ pages: 8192 });
  expect(log).toEqual(["command 5", "page of 4096", "command STOP", "free 8192"]);
  await driver.stop();
});

test("queues that were not negotiated are not there", async () => {
  const { driver } = await start(["PAGE_REPORTING"]);
  expect([driver.statsq, driver.freePageVq]).toEqual([undefined, undefined]);
  expect(driver.reportingVq).toBeDefined();
  expect(driver.config).toEqual({ numPages: 3, actual: 0, freePageHintCmdId: undefined, poisonVal: undefined });
  await driver.stop();
});
