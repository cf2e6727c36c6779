import { afterAll, expect, test } from "vitest";
import { VirtioDevice, VirtioDriver } from "../../src/runtime/index.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { call, classOf } from "../generated/message-pair.js";
import { LoadedModules, strangeDevice } from "./generated.js";

/* A device and a driver of a definition that nobody has seen, over the loopback transport. */

const modules = new LoadedModules();
afterAll(() => modules.remove());

interface Both {
  readonly device: VirtioDevice;
  readonly driver: VirtioDriver<unknown>;
}

async function start(name: string, features: readonly string[], options: object): Promise<Both> {
  const module = Object(await modules.load(await strangeDevice(`${name}.virtio`))) as object;
  const prefix = name.charAt(0).toUpperCase() + name.slice(1);
  const made: unknown = Reflect.construct(classOf(module, `${prefix}Device`), [{ features, ...options }]);
  if (!(made instanceof VirtioDevice)) throw new Error("no device");
  const driverClass: unknown = Reflect.get(module, `${prefix}Driver`);
  const driver: unknown = await call(Reflect.get(Object(driverClass), "start"), undefined, loopback(made), {
    features,
    ...options,
  });
  if (!(driver instanceof VirtioDriver)) throw new Error("no driver");
  return { device: made, driver };
}

function configBytes(device: VirtioDevice, length: number): readonly number[] {
  const bytes = new Uint8Array(length);
  device.readConfig(0, bytes);
  return [...bytes];
}

const submit = (driver: object, queue: string, input: object): unknown => {
  const sender: unknown = Reflect.get(driver, queue);
  return call(Reflect.get(Object(sender), "submit"), sender, input);
};

const sensorConfig = { version: 7, channels: 3, rate: 100, gain: 2, enabled: true, lastError: 0x01020304, mask: 5n };
const nobody = (): void => undefined;

test("a configuration space whose layout depends on a feature: the longer form", async () => {
  const { device, driver } = await start("sensor", [], { config: sensorConfig, controlq: nobody, samples: nobody });
  expect(driver.config).toMatchObject({ version: 7, channels: 3, lastError: 0x01020304, threshold: 512 });
  // version, rate of 32 bits, gain, enabled, padding, channels, the union, the error, the threshold
  expect(configBytes(device, 24).slice(10, 12)).toEqual([3, 0]);
  expect(configBytes(device, 24).slice(16)).toEqual([4, 3, 2, 1, 0, 2, 0, 0]);
  await call(Reflect.get(driver, "writeConfig"), driver, { threshold: 0x0203 });
  expect(configBytes(device, 24).slice(20, 22)).toEqual([3, 2]);
  expect(Reflect.get(Object(Reflect.get(device, "config")), "threshold")).toBe(0x0203);
  await driver.stop();
});

test("the shorter form, with another part in it", async () => {
  const features = ["COMPACT", "WIDE"];
  const { device, driver } = await start("sensor", features, {
    config: sensorConfig,
    controlq: nobody,
    samples: nobody,
  });
  expect(driver.config).toMatchObject({ version: 7, channels: 3, rate: 100, gain: 2, enabled: true, mask: 5n });
  expect(configBytes(device, 26)).toEqual([
    ...[7, 0],
    ...[100, 0xa0],
    ...[3, 0],
    // A field under a condition, unlike a block, keeps its place.
    ...[0, 0, 0, 0],
    ...[5, 0, 0, 0, 0, 0, 0, 0],
    ...[4, 3, 2, 1],
    ...[0, 2],
    ...[0, 0],
  ]);
  await call(Reflect.get(driver, "writeConfig"), driver, { threshold: 9 });
  expect(configBytes(device, 24).slice(22)).toEqual([9, 0]);
  await call(Reflect.get(driver, "writeConfig"), driver, { enabled: false });
  expect(configBytes(device, 4).slice(2)).toEqual([100, 0x20]);
  // A driver that writes the whole word changes the one bit that is its own.
  device.writeConfig(2, Uint8Array.of(0xff, 0xff));
  expect(configBytes(device, 4).slice(2)).toEqual([100, 0xa0]);
  await driver.stop();
});

test("a tag behind its union tells what follows, and how long it is", async () => {
  const seen: unknown[] = [];
  const { driver } = await start("cipher", ["EXTENDED"], {
    cryptoq(request: object): unknown {
      const bytes = (name: string): unknown => {
        const window: unknown = Reflect.get(request, name);
        return call(Reflect.get(Object(window), "toUint8Array"), window);
      };
      seen.push(Reflect.get(request, "mode"), bytes("key"), bytes("iv"), bytes("data"));
      const result: unknown = Reflect.get(request, "result");
      call(Reflect.get(Object(result), "write"), result, Uint8Array.of(0xaa, 0xbb));
      return call(Reflect.get(request, "complete"), request, { status: 3, residue: 1 });
    },
    logq: nobody,
    eventq: nobody,
  });
  const reply = await submit(driver, "cryptoq", {
    mode: "BLOCK",
    u: { block: { keyLen: 2, ivLen: 1 } },
    stage: "UPDATE",
    key: Uint8Array.of(1, 2),
    iv: Uint8Array.of(3),
    data: Uint8Array.of(4, 5, 6),
    result: 2,
  });
  expect(seen).toEqual(["BLOCK", Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(4, 5, 6)]);
  expect(reply).toEqual({ result: Uint8Array.of(0xaa, 0xbb), status: 3, residue: 1 });
  await driver.stop();
});

const wordyConfig = {
  default: 1,
  writer: 2,
  new: "name",
  view: 3,
  pairs: [
    { a: 1, b: Uint8Array.of(2, 3) },
    { a: 4, b: Uint8Array.of(5, 6) },
  ],
  features: 2,
};

test("a request without variants is refused with the status alone, which stands in front of an array", async () => {
  const { driver } = await start("wordy", [], {
    config: wordyConfig,
    workq: nobody,
    sendq: nobody,
    oneq(request: object): unknown {
      const { length } = Object(Reflect.get(request, "data")) as { length: number };
      return call(Reflect.get(request, "complete"), request, length === 1 ? "WORSE" : { status: "OK" });
    },
  });
  const ask = (...data: number[]): unknown => submit(driver, "oneq", { data: Uint8Array.from(data), items: 12 });
  expect(await ask(1)).toEqual({ status: "WORSE" });
  expect(await ask(1, 2)).toEqual({ status: "OK" });
  await driver.stop();
});

test("a reset gives fields of all kinds the values that they begin with", async () => {
  const { device, driver } = await start("wordy", [], {
    config: wordyConfig,
    workq: nobody,
    sendq: nobody,
    oneq: nobody,
  });
  expect(driver.config).toMatchObject({ limit: 7n, mode: "WORSE", on: true, new: "name", default: 1 });
  // No reset touches what only the driver reads: it has its value from the start.
  expect(driver.config).toMatchObject({ first: "WORSE" });
  await call(Reflect.get(driver, "writeConfig"), driver, { limit: 1n, mode: "OK", on: false });
  const config = Object(Reflect.get(device, "config")) as object;
  expect(config).toMatchObject({ limit: 1n, mode: "OK", on: false });
  await driver.stop();
  expect(config).toMatchObject({ limit: 7n, mode: "WORSE", on: true });
  call(Reflect.get(config, "update"), config, { default: 8, writer: 9, values: 3, new: "other" });
  expect(config).toMatchObject({ default: 8, writer: 9, values: 3, new: "other" });
});

test("a window on what the driver selects with fields that it cannot read", async () => {
  const { driver } = await start("vault", [], {
    depositq: nobody,
    configWindow: ({ select, index }: { select: unknown; index: unknown }) =>
      select === "LIMITS"
        ? { size: 16, answer: { kind: "LIMITS", limits: { min: Number(index), max: 2, total: 3n } } }
        : undefined,
  });
  const query = (select: string): unknown => call(Reflect.get(driver, "queryConfig"), driver, { select, index: 9 });
  expect(await query("LIMITS")).toMatchObject({
    size: 16,
    answer: { kind: "LIMITS", limits: { min: 9, max: 2, total: 3n } },
  });
  expect(await query("KEYS")).toMatchObject({ size: 0 });
  await driver.stop();
});

const alarmConfig = { serial: 1n, sensors: 0xf00f, faults: 0xf, level: 5, warnings: 0xff, doors: 0x8421_0003, tone: 1 };

test.each([
  { features: ["SERIAL", "REPAIR"], start: 8 },
  { features: ["REPAIR"], start: 0 },
])("ones clear bits, of any width and byte by byte: $features", async ({ features, start: at }) => {
  const told: [string, unknown][] = [];
  const note = (name: string) => (value: unknown) => void told.push([name, value]);
  const names = ["sensors", "faults", "level", "warnings", "clears", "tone"];
  const { device, driver } = await start("alarm", features, {
    config: alarmConfig,
    pingq: nobody,
    configWritten: Object.fromEntries(names.map((name) => [name, note(name)])),
  });
  const heard = (): unknown => told.splice(0);
  const bytes = (): readonly number[] => configBytes(device, at + 13).slice(at);
  const write = (fields: object): unknown => call(Reflect.get(driver, "writeConfig"), driver, fields);
  expect(bytes()).toEqual([0xf0, 0x0f, 0x5f, 0xff, 0, 0, 0, 0, 0x84, 0x21, 0x00, 0x03, 1]);

  await write({ sensors: 0x8001 });
  expect(bytes().slice(0, 2)).toEqual([0x70, 0x0e]);
  expect(heard()).toEqual([["sensors", 0x8001]]);
  device.writeConfig(at + 1, Uint8Array.of(0x06));
  device.writeConfig(at, Uint8Array.of(0x10));
  expect(bytes().slice(0, 2)).toEqual([0x60, 0x08]);
  expect(heard()).toEqual([
    ["sensors", 0x0006],
    ["sensors", 0x1000],
  ]);

  // The bits that the driver does not give clear nothing, and are not stored.
  await write({ level: 2 });
  expect(bytes().slice(2, 4)).toEqual([0x2f, 0xff]);
  heard();
  await write({ faults: 0x3, warnings: 0x81 });
  expect(bytes().slice(2, 4)).toEqual([0x2c, 0x7e]);
  expect(heard()).toEqual([
    ["faults", 0x3],
    ["level", 2],
    ["warnings", 0x81],
  ]);
  expect(driver.config).toMatchObject({ faults: 0xc, level: 2, warnings: 0x7e });

  await write({ clears: 0x8000_0001 });
  expect(bytes().slice(4)).toEqual([0, 0, 0, 0, 0x04, 0x21, 0x00, 0x02, 1]);
  expect(heard()).toEqual([["clears", 0x8000_0001]]);
  // What is written to the field itself, behind it, changes nothing.
  device.writeConfig(at + 5, Uint8Array.of(0x21, 0, 2, 9));
  expect(bytes().slice(4)).toEqual([0, 0, 0, 0, 0x04, 0, 0, 0, 1]);
  expect(heard()).toEqual([["clears", 0x0021_0002]]);
  await write({ tone: 9 });
  expect(bytes().at(-1)).toBe(9);
  expect(heard()).toEqual([["tone", 9]]);
  expect(device.configGeneration).toBe(0);
  await driver.stop();
});

test("faults that there are not under the features are left alone", async () => {
  const { device, driver } = await start("alarm", [], { config: alarmConfig, pingq: nobody });
  device.writeConfig(2, Uint8Array.of(0xff, 0x01));
  expect(configBytes(device, 4).slice(2)).toEqual([0x7f, 0xfe]);
  await driver.stop();
});
