import { expect, test } from "vitest";
import { ConsoleDevice, ConsoleDriver, type ConsoleControlMessage } from "../../generated/console.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 0));
  expect(done()).toBe(true);
}

test("a port without MULTIPORT", async () => {
  const output: string[] = [];
  const input: string[] = [];
  const device = new ConsoleDevice({
    features: ["SIZE"],
    config: { cols: 80, rows: 25 },
    transmitq(buffer) {
      output.push(text(buffer.data.toUint8Array()));
      return buffer.complete();
    },
  });
  const driver = await ConsoleDriver.start(loopback(device), {
    features: ["SIZE"],
    receiveq: (message) => {
      input.push(text(message.data));
    },
  });
  expect(driver.config).toEqual({ cols: 80, rows: 25, maxNrPorts: undefined });
  expect(driver.controlTransmitq).toBeUndefined();
  await driver.transmitq.send({ data: bytes("hello") });
  expect(output).toEqual(["hello"]);
  expect(device.receiveq.send({ data: bytes("login: ") })).toBe(true);
  await until(() => input.length === 1);
  expect(input).toEqual(["login: "]);

  const changed = new Promise((resolve) => (driver.onConfigChange = resolve));
  device.config.update({ cols: 132, rows: 43 });
  expect(device.configGeneration).toBe(1);
  expect(await changed).toEqual({ cols: 132, rows: 43, maxNrPorts: undefined });
  await driver.stop();
});

test("the handshake of two ports, by the control queues", async () => {
  const toDriver: ConsoleControlMessage[] = [];
  const toDevice: ConsoleControlMessage[] = [];
  const output: string[] = [];
  const input: string[] = [];
  const device = new ConsoleDevice({
    features: ["MULTIPORT"],
    config: { maxNrPorts: 2 },
    transmitq(buffer) {
      output.push(`${buffer.position}: ${text(buffer.data.toUint8Array())}`);
      return buffer.complete();
    },
    controlTransmitq(buffer) {
      const { id, event, value } = buffer.header;
      toDevice.push({ header: { id, event, value }, body: buffer.body });
      if (event === "DEVICE_READY") {
        for (const port of [0, 1]) device.controlReceiveq.send({ header: { id: port, event: "DEVICE_ADD", value: 0 } });
      } else if (event === "PORT_READY" && id === 1) {
        device.controlReceiveq.send({ header: { id, event: "PORT_NAME", value: 1 }, body: { kind: "PORT_NAME", name: "org.example.1" } });
        device.controlReceiveq.send({ header: { id, event: "RESIZE", value: 0 }, body: { kind: "RESIZE", size: { cols: 100, rows: 30 } } });
        device.controlReceiveq.send({ header: { id, event: "PORT_OPEN", value: 1 } });
      }
      return buffer.complete();
    },
  });
  const driver = await ConsoleDriver.start(loopback(device), {
    features: ["MULTIPORT"],
    receiveq: (message, position) => {
      input.push(`${position}: ${text(message.data)}`);
    },
    controlReceiveq: async (message) => {
      toDriver.push(message);
      const { id, event } = message.header;
      if (event === "DEVICE_ADD") await driver.controlTransmitq?.send({ header: { id, event: "PORT_READY", value: 1 } });
    },
  });
  await driver.controlTransmitq?.send({ header: { id: 0, event: "DEVICE_READY", value: 1 } });
  await until(() => toDriver.length === 5);
  expect(toDevice.map(({ header }) => `${header.event} ${header.id}`)).toEqual(["DEVICE_READY 0", "PORT_READY 0", "PORT_READY 1"]);
  expect(toDriver.map(({ header, body }) => [header.event, body])).toEqual([
    ["DEVICE_ADD", undefined],
    ["DEVICE_ADD", undefined],
    ["PORT_NAME", { kind: "PORT_NAME", name: "org.example.1" }],
    ["RESIZE", { kind: "RESIZE", size: { cols: 100, rows: 30 } }],
    ["PORT_OPEN", undefined],
  ]);

  expect(driver.transmitqs).toHaveLength(2);
  await driver.transmitqs[1]?.send({ data: bytes("to port 1") });
  expect(output).toEqual(["1: to port 1"]);
  expect(device.receiveqs).toHaveLength(2);
  expect(device.receiveqs[1]?.send({ data: bytes("from port 1") })).toBe(true);
  await until(() => input.length === 1);
  expect(input).toEqual(["1: from port 1"]);
  await driver.stop();
});

test("emergency output", async () => {
  let seen = "";
  const device = new ConsoleDevice({
    features: ["EMERG_WRITE"],
    transmitq: (buffer) => buffer.complete(),
    configWritten: {
      emergWr(value) {
        seen += String.fromCharCode(value & 0xff);
      },
    },
  });
  const driver = await ConsoleDriver.start(loopback(device), { features: ["EMERG_WRITE"] });
  await driver.writeConfig({ emergWr: 0x21 });
  expect(seen).toBe("!");
  await driver.stop();
});

test("a control message whose body does not belong to its event is refused", async () => {
  const device = new ConsoleDevice({ features: ["MULTIPORT"], config: { maxNrPorts: 1 }, transmitq: (buffer) => buffer.complete() });
  const driver = await ConsoleDriver.start(loopback(device), { features: ["MULTIPORT"] });
  const sent = driver.controlTransmitq?.send({ header: { id: 0, event: "RESIZE", value: 0 }, body: { kind: "PORT_NAME", name: "x" } });
  await expect(sent).rejects.toMatchObject({ rule: "bad-value" });
  await driver.stop();
});
