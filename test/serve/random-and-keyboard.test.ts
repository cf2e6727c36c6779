import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EntropyDriver } from "../../generated/entropy.js";
import { InputDriver, type InputEvent } from "../../generated/input.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { openKeyboard, parseEventLine } from "../../src/serve/keyboard.js";
import { openRandomSource } from "../../src/serve/random-source.js";
import { until } from "../generated/turns.js";
import { temporaryFolder } from "./folder.js";

test("bytes of a file in their order, and at its end a request that waits", async () => {
  const path = join(temporaryFolder(), "bytes");
  writeFileSync(path, "0123456789");
  const source = openRandomSource({ path });
  const driver = await EntropyDriver.start(loopback(source.device));
  expect(new TextDecoder().decode((await driver.requestq.submit({ data: 4 })).data)).toBe("0123");
  expect(new TextDecoder().decode((await driver.requestq.submit({ data: 8 })).data)).toBe("456789");
  let answered = false;
  const last = driver.requestq.submit({ data: 8 }).then(
    () => (answered = true),
    () => "stopped",
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answered).toBe(false);
  await driver.stop();
  expect(await last).toBe("stopped");
  await source.close();
});

test("the system's generator does not repeat itself", async () => {
  const source = openRandomSource();
  const driver = await EntropyDriver.start(loopback(source.device));
  const [one, two] = await Promise.all([driver.requestq.submit({ data: 64 }), driver.requestq.submit({ data: 64 })]);
  expect(one.data).toHaveLength(64);
  expect(one.data).not.toEqual(two.data);
  expect(source.served).toBe(128);
  await driver.stop();
});

test("a keyboard tells what it has, and its events arrive in order, those from before the driver too", async () => {
  const keyboard = openKeyboard({ name: "desk" });
  for (const value of [1, 0]) {
    keyboard.send(1, 30, value);
    keyboard.sync();
  }
  const seen: InputEvent[] = [];
  const driver = await InputDriver.start(loopback(keyboard.device), { eventq: (event) => void seen.push(event) });
  await until(() => seen.length === 4);
  expect(seen.map(({ type, code, value }) => [type, code, value])).toEqual([
    [1, 30, 1],
    [0, 0, 0],
    [1, 30, 0],
    [0, 0, 0],
  ]);
  keyboard.send(2, 0, -5);
  await until(() => seen.length === 5);
  expect(seen[4]).toEqual({ type: 2, code: 0, value: 0xffff_fffb });
  expect((await driver.queryConfig({ select: "ID_NAME", subsel: 0 })).u).toEqual({ kind: "ID_NAME", string: "desk" });
  const { u } = await driver.queryConfig({ select: "EV_BITS", subsel: 1 });
  expect(u?.kind === "EV_BITS" && ((u.bitmap[30 >> 3] ?? 0) & (1 << (30 & 7))) !== 0).toBe(true);
  await driver.stop();
});

test("nobody listens: what waits is bounded", () => {
  const keyboard = openKeyboard();
  let sent = 0;
  while (keyboard.send(1, 30, 1) && sent < 100_000) sent++;
  expect(sent).toBe(4096);
});

test("lines of events", () => {
  expect(parseEventLine("1 30 1")).toEqual([1, 30, 1]);
  expect(parseEventLine(" sync # now")).toEqual([0, 0, 0]);
  expect(parseEventLine("# nothing")).toBeUndefined();
  for (const line of ["1 30", "a b c", "1 30 1 1", "70000 0 0", "1 -1 0"])
    expect(() => parseEventLine(line)).toThrow(RangeError);
});
