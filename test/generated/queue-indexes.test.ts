import { describe, expect, test } from "vitest";
import { BalloonDevice, BalloonDriver, type BalloonFreePageReport } from "../../generated/balloon.js";
import { ConsoleDevice, ConsoleDriver } from "../../generated/console.js";
import { FsDevice, FsDriver } from "../../generated/fs.js";
import { GpioDevice, GpioDriver } from "../../generated/gpio.js";
import { ScmiDevice, ScmiDriver } from "../../generated/scmi.js";
import { ScsiDevice, ScsiDriver } from "../../generated/scsi.js";
import type { Completion, VirtioDevice } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

// Figures from the section "Virtqueues" of each chapter. A queue counts if the driver enabled it and the device let it:
// both sides' generated code has to come to the same index.

/** All subsets of the features. */
function subsets<Name>(features: readonly Name[]): Name[][] {
  return features.reduce<Name[][]>((sets, feature) => [...sets, ...sets.map((set) => [...set, feature])], [[]]);
}

const enabled = (device: VirtioDevice): string[] =>
  device
    .queues()
    .filter((queue) => queue.enabled)
    .map(({ index, name }) => `${index} ${name}`);

const ignore = () => {};

describe("which queues there are, and where", () => {
  test.each(subsets(["STATS_VQ", "FREE_PAGE_HINT", "PAGE_REPORTING", "PAGE_POISON"] as const).map((features) => [features]))("balloon %j", async (features) => {
    const device = new BalloonDevice({ features, config: { numPages: 0 }, inflateq: ignore, deflateq: ignore });
    const driver = await BalloonDriver.start(loopback(device), { features });
    const wanted = ["0 inflateq", "1 deflateq"];
    if (features.includes("STATS_VQ")) wanted.push("2 statsq");
    if (features.includes("FREE_PAGE_HINT")) wanted.push("3 freePageVq");
    if (features.includes("PAGE_REPORTING")) wanted.push("4 reportingVq");
    expect(enabled(device)).toEqual(wanted);
    await driver.stop();
  });

  test.each([
    [[], 1, ["0 hiprio", "1 requestQueue"]],
    [[], 3, ["0 hiprio", "1 requestQueue", "2 requestQueue", "3 requestQueue"]],
    [["NOTIFICATION"], 1, ["0 hiprio", "1 notificationQueue", "2 requestQueue"]],
    [["NOTIFICATION"], 3, ["0 hiprio", "1 notificationQueue", "2 requestQueue", "3 requestQueue", "4 requestQueue"]],
  ] as const)("fs %j with %i request queues", async (features, numRequestQueues, wanted) => {
    const config = { tag: "x", numRequestQueues, notifyBufSize: 64 };
    const device = new FsDevice({ features, config, hiprio: ignore, requestQueue: ignore });
    const driver = await FsDriver.start(loopback(device), { features });
    expect(enabled(device)).toEqual(wanted);
    expect(driver.requestQueues).toHaveLength(numRequestQueues);
    await driver.stop();
  });

  test.each([1, 2, 17])("scsi with %i request queues", async (numQueues) => {
    const limits = { segMax: 1, maxSectors: 1, cmdPerLun: 1, eventInfoSize: 16, maxChannel: 0, maxTarget: 0, maxLun: 0 };
    for (const features of subsets(["INOUT", "HOTPLUG", "CHANGE", "T10_PI"] as const)) {
      const device = new ScsiDevice({ features, config: { numQueues, ...limits }, controlq: ignore, requestQueue: ignore });
      const driver = await ScsiDriver.start(loopback(device), { features });
      const requests = Array.from({ length: numQueues }, (_, k) => `${k + 2} requestQueue`);
      expect(enabled(device), features.join(" ")).toEqual(["0 controlq", "1 eventq", ...requests]);
      await driver.stop();
    }
  });

  test.each([[[]], [["IRQ"]]] as const)("gpio %j", async (features) => {
    const device = new GpioDevice({ features, config: { ngpio: 1, gpioNamesSize: 0 }, requestq: ignore });
    const driver = await GpioDriver.start(loopback(device), { features });
    expect(enabled(device)).toEqual(features.length > 0 ? ["0 requestq", "1 eventq"] : ["0 requestq"]);
    await driver.stop();
  });

  test.each(subsets(["P2A_CHANNELS", "SHARED_MEMORY"] as const).map((features) => [features]))("scmi %j", async (features) => {
    const device = new ScmiDevice({ features, cmdq: ignore });
    const driver = await ScmiDriver.start(loopback(device), { features });
    expect(enabled(device)).toEqual(features.includes("P2A_CHANNELS") ? ["0 cmdq", "1 eventq"] : ["0 cmdq"]);
    await driver.stop();
  });

  test.each([
    [[], 4, ["0 receiveq", "1 transmitq"]],
    [["MULTIPORT"], 1, ["0 receiveq", "1 transmitq", "2 controlReceiveq", "3 controlTransmitq"]],
    [["MULTIPORT"], 2, ["0 receiveq", "1 transmitq", "2 controlReceiveq", "3 controlTransmitq", "4 receiveq", "5 transmitq"]],
  ] as const)("console %j with %i ports", async (features, maxNrPorts, wanted) => {
    const device = new ConsoleDevice({ features, config: { maxNrPorts }, transmitq: ignore });
    const driver = await ConsoleDriver.start(loopback(device), { features });
    expect(enabled(device)).toEqual(wanted);
    await driver.stop();
  });

  test.each(subsets(["STATS_VQ", "FREE_PAGE_HINT", "PAGE_REPORTING"] as const).map((features) => [features]))("balloon %j, numbered as Linux does", async (features) => {
    // More is offered than is accepted: what counts is what was negotiated.
    const offered = ["STATS_VQ", "FREE_PAGE_HINT", "PAGE_REPORTING"] as const;
    const pages: number[] = [];
    const reportingVq = (request: BalloonFreePageReport): Completion => {
      pages.push(request.queueIndex);
      return request.complete();
    };
    const device = new BalloonDevice({ features: offered, config: { numPages: 0 }, inflateq: ignore, deflateq: ignore, reportingVq, queueNumbering: "linux" });
    const driver = await BalloonDriver.start(loopback(device), { features, queueNumbering: "linux" });
    const wanted = ["inflateq", "deflateq"];
    if (features.includes("STATS_VQ")) wanted.push("statsq");
    if (features.includes("FREE_PAGE_HINT")) wanted.push("freePageVq");
    if (features.includes("PAGE_REPORTING")) wanted.push("reportingVq");
    expect(enabled(device)).toEqual(wanted.map((name, index) => `${index} ${name}`));
    await driver.reportingVq?.submit({ pages: 64 });
    expect(pages).toEqual(features.includes("PAGE_REPORTING") ? [wanted.length - 1] : []);
    await driver.stop();
  });

  test("the two numberings do not fit each other", async () => {
    const features = ["PAGE_REPORTING"] as const;
    const device = new BalloonDevice({ features, config: { numPages: 0 }, inflateq: ignore, deflateq: ignore, queueNumbering: "linux" });
    await expect(BalloonDriver.start(loopback(device), { features })).rejects.toMatchObject({ rule: "queue-unknown" });
  });

  test.each([[[]], [["NOTIFICATION"]]] as const)("fs %j is numbered by the specification as Linux does", async (features) => {
    const config = { tag: "x", numRequestQueues: 2, notifyBufSize: 64 };
    const seen: string[][] = [];
    for (const queueNumbering of ["specification", "linux"] as const) {
      const device = new FsDevice({ features, config, hiprio: ignore, requestQueue: ignore, queueNumbering });
      const driver = await FsDriver.start(loopback(device), { features, queueNumbering });
      seen.push(enabled(device));
      await driver.stop();
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]).toHaveLength(features.length + 3);
  });

  test("a device that offers a queue and a driver that does not want it", async () => {
    const device = new BalloonDevice({ features: ["STATS_VQ", "PAGE_REPORTING"], config: { numPages: 0 }, inflateq: ignore, deflateq: ignore });
    const driver = await BalloonDriver.start(loopback(device), { features: ["PAGE_REPORTING"] });
    // The specification numbers it 4 whether or not the others are there.
    expect(enabled(device)).toEqual(["0 inflateq", "1 deflateq", "4 reportingVq"]);
    await driver.stop();
  });
});
