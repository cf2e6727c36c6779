import { expect, test } from "vitest";
import { RtcAlarmFlags, RtcDevice, RtcDriver, type RtcNotification, type RtcRequest } from "../../generated/rtc.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

/** One UTC clock with an alarm. */
class Clock {
  now = 1_000n;
  alarm = 0n;
  flags = 0;

  serve(request: RtcRequest) {
    switch (request.msgType) {
      case "CFG":
        return request.complete({ status: "OK", numClocks: 1 });
      case "CLOCK_CAP":
        return request.complete({ status: "OK", type: "UTC", leapSecondSmearing: "UNSPECIFIED", flags: 1 });
      case "CROSS_CAP":
        return request.complete({ status: "OK", flags: request.hwCounter === "X86_TSC" ? 1 : 0 });
      case "READ":
        if (request.clockId !== 0) return request.complete("ENODEV");
        return request.complete({ status: "OK", clockReading: this.now });
      case "READ_CROSS":
        if (request.hwCounter !== "X86_TSC") return request.complete("EOPNOTSUPP");
        return request.complete({ status: "OK", clockReading: this.now, counterCycles: this.now * 3n });
      case "READ_ALARM":
        return request.complete({ status: "OK", alarmTime: this.alarm, flags: this.flags });
      case "SET_ALARM":
        this.alarm = request.alarmTime;
        this.flags = request.flags;
        return request.complete("OK");
      case "SET_ALARM_ENABLED":
        this.flags = request.flags;
        return request.complete("OK");
      default:
        return request.complete("EOPNOTSUPP");
    }
  }
}

async function start(features: readonly "ALARM"[]) {
  const clock = new Clock();
  const notifications: RtcNotification[] = [];
  const device = new RtcDevice({ features, requestq: (request) => clock.serve(request) });
  const driver = await RtcDriver.start(loopback(device), {
    features,
    alarmq: (message) => {
      notifications.push(message);
    },
  });
  return { clock, device, driver, notifications };
}

test("each request has its own reply, and a failure is the status alone", async () => {
  const { driver } = await start(["ALARM"]);
  const { requestq } = driver;
  const cfg = await requestq.submit({ msgType: "CFG" });
  // The status tells which reply it is: behind this line there is the number of clocks.
  if (cfg.status !== "OK") throw new Error(String(cfg.status));
  expect(cfg.numClocks).toBe(1);
  expect(await requestq.submit({ msgType: "CLOCK_CAP", clockId: 0 })).toEqual({
    status: "OK",
    type: "UTC",
    leapSecondSmearing: "UNSPECIFIED",
    flags: 1,
  });
  expect(await requestq.submit({ msgType: "READ", clockId: 0 })).toEqual({ status: "OK", clockReading: 1_000n });
  expect(await requestq.submit({ msgType: "READ", clockId: 7 })).toEqual({ status: "ENODEV" });
  expect(await requestq.submit({ msgType: "READ_CROSS", clockId: 0, hwCounter: "X86_TSC" })).toEqual({
    status: "OK",
    clockReading: 1_000n,
    counterCycles: 3_000n,
  });
  expect(await requestq.submit({ msgType: "READ_CROSS", clockId: 0, hwCounter: "ARM_VCT" })).toEqual({
    status: "EOPNOTSUPP",
  });
  await driver.stop();
});

test("an alarm is set, read and reported", async () => {
  const { driver, device, notifications } = await start(["ALARM"]);
  const { requestq } = driver;
  const flags = RtcAlarmFlags.ALARM_ENABLED;
  expect(await requestq.submit({ msgType: "SET_ALARM", clockId: 0, alarmTime: 5_000n, flags })).toEqual({ status: "OK" });
  expect(await requestq.submit({ msgType: "READ_ALARM", clockId: 0 })).toEqual({
    status: "OK",
    alarmTime: 5_000n,
    flags,
  });
  const message: RtcNotification = { head: { msgType: "ALARM" }, body: { kind: "ALARM", clockId: 0 } };
  expect(device.alarmq.send(message)).toBe(true);
  for (let turns = 0; turns < 100 && notifications.length === 0; turns++)
    await new Promise((resolve) => setTimeout(resolve, 0));
  expect(notifications).toEqual([message]);
  await driver.stop();
});

test("without its feature a request is one that nobody knows", async () => {
  const { driver } = await start([]);
  expect(await driver.requestq.submit({ msgType: "READ_ALARM", clockId: 0 })).toEqual({ status: "EOPNOTSUPP" });
  await driver.stop();
});
