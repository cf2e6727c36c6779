import { expect, test } from "vitest";
import { GpioDevice, GpioDriver, type GpioInterrupt, type GpioRequest } from "../../generated/gpio.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { until } from "./turns.js";

const names = ["led", "", "button"];
const namesSize = 4 + 1 + 7;

async function start() {
  interface Line {
    direction: "NONE" | "IN" | "OUT";
    value: number;
    irq: string | number;
  }
  const lines = names.map((): Line => ({ direction: "NONE", value: 0, irq: 0 }));
  const watched = new Map<number, GpioInterrupt>();
  function serve(request: GpioRequest) {
    const line = lines[request.gpio];
    if (line === undefined) return request.complete("ERR");
    switch (request.type) {
      case "GET_LINE_NAMES":
        return request.complete({ status: "OK", names });
      case "GET_DIRECTION":
        return request.complete({ status: "OK", value: line.direction });
      case "SET_DIRECTION":
        if (typeof request.value === "number") return request.complete("ERR");
        line.direction = request.value;
        return request.complete("OK");
      case "GET_VALUE":
        return request.complete({ status: "OK", value: line.value });
      case "SET_VALUE":
        line.value = request.value;
        return request.complete(request.value <= 1 ? "OK" : "ERR");
      case "SET_IRQ_TYPE":
        line.irq = request.value;
        if (request.value === "NONE") watched.get(request.gpio)?.complete("INVALID");
        return request.complete("OK");
      default:
        return request.complete("ERR");
    }
  }
  const device = new GpioDevice({
    features: ["IRQ"],
    config: { ngpio: names.length, gpioNamesSize: namesSize },
    requestq: serve,
    eventq(request) {
      watched.set(request.request.gpio, request);
    },
  });
  const lengths: number[] = [];
  const transport = loopback(device, { trace: (event) => event.kind === "completion" && lengths.push(event.written) });
  const driver = await GpioDriver.start(transport, { features: ["IRQ"] });
  return { driver, lines, watched, lengths };
}

test("names, directions and values", async () => {
  const { driver, lines, lengths } = await start();
  const { requestq } = driver;
  expect(await requestq.submit({ type: "GET_LINE_NAMES", gpio: 0 })).toEqual({ status: "OK", names });
  expect(await requestq.submit({ type: "SET_DIRECTION", gpio: 0, value: "OUT" })).toEqual({ status: "OK" });
  expect(await requestq.submit({ type: "GET_DIRECTION", gpio: 0 })).toEqual({ status: "OK", value: "OUT" });
  expect(await requestq.submit({ type: "SET_VALUE", gpio: 0, value: 1 })).toEqual({ status: "OK" });
  expect(await requestq.submit({ type: "GET_VALUE", gpio: 0 })).toEqual({ status: "OK", value: 1 });
  expect(await requestq.submit({ type: "SET_VALUE", gpio: 9, value: 1 })).toEqual({ status: "ERR" });
  expect(lines[0]).toEqual({ direction: "OUT", value: 1, irq: 0 });
  // A status and a value, even where the value means nothing.
  expect(lengths).toEqual([1 + namesSize, 2, 2, 2, 2, 2]);
  await driver.stop();
});

test("a line answers when its interrupt occurs, each line for itself", async () => {
  const { driver, watched } = await start();
  const { requestq, eventq } = driver;
  await requestq.submit({ type: "SET_IRQ_TYPE", gpio: 0, value: "EDGE_BOTH" });
  await requestq.submit({ type: "SET_IRQ_TYPE", gpio: 2, value: "LEVEL_HIGH" });
  const seen: string[] = [];
  const watch = (gpio: number) => eventq?.submit({ request: { gpio } }).then(({ status }) => void seen.push(`${gpio} ${status}`));
  const all = [watch(0), watch(2)].map((line) => Promise.resolve(line));
  await until(() => watched.size === 2);
  watched.get(2)?.complete("VALID");
  await until(() => seen.length === 1);
  await requestq.submit({ type: "SET_IRQ_TYPE", gpio: 0, value: "NONE" });
  await Promise.all(all);
  expect(seen).toEqual(["2 VALID", "0 INVALID"]);
  await driver.stop();
});
