import { describe, expect, test } from "vitest";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import {
  RequestsDevice,
  RequestsDriver,
  type RequestsControl,
  type RequestsDeviceOptions,
} from "../../fixtures/emit/requests/expected.js";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const name = (text: string): Uint8Array => new TextEncoder().encode(text);

function serve(request: RequestsControl) {
  switch (request.operation) {
    case "SHORT":
      return request.complete(request.name === "ab" && request.value === 7 ? "OK" : 99);
    case "LONG":
      return request.complete({ status: "OK", items: request.items.toReversed() });
    case "BOTH": {
      const copy = request.data.toUint8Array();
      request.replyData.write(copy.map((value) => value + 1));
      return request.complete("OK");
    }
    case "LIST":
      return request.id === 0
        ? request.complete("BAD")
        : request.complete({ status: "OK", items: [{ id: request.id, name: name("x") }] });
    default:
      if ("payload" in request && request.operation >= 0xf0)
        request.answer.write(bytes(request.operation, request.payload.length));
      return request.complete("OK");
  }
}

async function start(
  options: Partial<RequestsDeviceOptions> = {},
  features: readonly ("PI" | "EVENTS")[] = ["PI", "EVENTS"],
) {
  const device = new RequestsDevice({
    features: [...features, "LONG"],
    config: { serial: 1n, state: 0, senseSize: 4, cdbSize: 6 },
    controlq: serve,
    requestq: (request) => request.complete({ senseLen: 0, response: 1 }),
    statsq: (buffer) => buffer.complete(),
    logq: (buffer) => buffer.complete(),
    ...options,
  });
  return { device, driver: await RequestsDriver.start(loopback(device), { features: [...features, "LONG"] }) };
}

describe("requests told apart by a tag, with the status in front", () => {
  test("fields that depend on features, and text up to the end", async () => {
    const { driver } = await start();
    expect(await driver.controlq.submit({ operation: "SHORT", id: 1, value: 7, name: "ab" })).toEqual({ status: "OK" });
    await driver.stop();
    const other = await start({}, []);
    expect(await other.driver.controlq.submit({ operation: "SHORT", id: 1, name: "ab" })).toEqual({ status: 99 });
    await other.driver.stop();
  });

  test("counted elements of variable size, both ways", async () => {
    const { driver } = await start();
    const items = [
      { id: 1, name: name("one") },
      { id: 2, name: name("") },
    ];
    expect(await driver.controlq.submit({ operation: "LONG", id: 1, items, itemsCapacity: 64 })).toEqual({
      status: "OK",
      items: items.toReversed(),
    });
    await driver.stop();
  });

  test("bytes of the same name, both ways", async () => {
    const { driver } = await start();
    expect(await driver.controlq.submit({ operation: "BOTH", id: 1, data: bytes(1, 2, 3), dataCapacity: 8 })).toEqual({
      status: "OK",
      data: bytes(2, 3, 4),
    });
    await driver.stop();
  });

  test("a failure without the rest of the reply", async () => {
    const { driver } = await start();
    expect(await driver.controlq.submit({ operation: "LIST", id: 0, items: 64 })).toEqual({ status: "BAD" });
    expect(await driver.controlq.submit({ operation: "LIST", id: 5, items: 64 })).toEqual({
      status: "OK",
      items: [{ id: 5, name: name("x") }],
    });
    await driver.stop();
  });

  test("a reply that does not fit is reported, and nothing of it is sent", async () => {
    const { device, driver } = await start();
    const errors: string[] = [];
    device.onProtocolError = (error) => errors.push(error.message);
    await expect(driver.controlq.submit({ operation: "LIST", id: 5, items: 2 })).rejects.toMatchObject({
      rule: "truncated",
    });
    expect(errors[0]).toContain("message-too-long");
    await driver.stop();
  });

  test("a range of tags", async () => {
    const { driver } = await start();
    expect(await driver.controlq.submit({ operation: 0xf3, id: 1, payload: bytes(1, 2), answer: 4 })).toEqual({
      status: "OK",
      answer: bytes(0xf3, 2),
    });
    await driver.stop();
  });
});

test("lengths come from the configuration and from the request", async () => {
  const { driver } = await start({
    requestq(request) {
      expect(request.lun).toEqual(bytes(1, 0, 0, 0, 0, 0, 0, 9));
      expect([request.id, request.idNumber, request.priority, request.crn, request.piOut, request.inBytes]).toEqual([
        5n,
        5,
        3,
        4,
        77,
        2,
      ]);
      expect(request.cdb.toUint8Array()).toEqual(bytes(1, 2, 3, 4, 5, 6));
      expect(request.out.toUint8Array()).toEqual(bytes(9, 9));
      request.sense.write(bytes(0x70));
      request.piIn.write(bytes(0xaa, 0xbb));
      request.data.write(bytes(1, 2, 3));
      return request.complete({ senseLen: 1, response: 0x5a });
    },
  });
  await driver.writeConfig({ senseSize: 4, cdbSize: 6 });
  const reply = await driver.requestq.submit({
    lun: bytes(1, 0, 0, 0, 0, 0, 0, 9),
    id: 5n,
    priority: 3,
    crn: 4,
    piOut: 77,
    inBytes: 2,
    cdb: bytes(1, 2, 3, 4, 5, 6),
    out: bytes(9, 9),
    data: 16,
  });
  expect(reply).toEqual({
    senseLen: 1,
    response: 0x5a,
    sense: bytes(0x70, 0, 0, 0),
    piIn: bytes(0xaa, 0xbb),
    data: bytes(1, 2, 3),
  });
  const wrong = driver.requestq.submit({
    lun: bytes(1),
    id: 0n,
    priority: 0,
    crn: 0,
    piOut: 0,
    inBytes: 0,
    cdb: bytes(),
    out: bytes(),
    data: 0,
  });
  await expect(wrong).rejects.toMatchObject({ rule: "length-mismatch" });
  await driver.stop();
});

test("deferred answers, and buffers that the device keeps", async () => {
  let line = -1;
  let asked: (() => unknown) | undefined;
  let happened: ((event: number) => unknown) | undefined;
  const { driver } = await start({
    eventq(request) {
      line = request.line;
      happened = (event) => request.complete(event);
    },
    statsq(buffer) {
      expect(buffer.stats).toEqual([{ tag: 1, val: 2n }]);
      asked = () => buffer.complete();
    },
  });
  const answer = driver.eventq?.submit({ line: 3 });
  const returned = driver.statsq.send({ stats: [{ tag: 1, val: 2n }] });
  while (asked === undefined || happened === undefined) await new Promise((resolve) => setTimeout(resolve, 0));
  expect(line).toBe(3);
  happened(4);
  asked();
  expect(await answer).toEqual({ event: 4 });
  await returned;
  await driver.stop();
});

test("fields of the configuration get their value back at a reset", async () => {
  const { device, driver } = await start();
  expect(driver.config).toMatchObject({ senseSize: 96, cdbSize: 32, serial: 1n });
  await driver.writeConfig({ senseSize: 10, cdbSize: 12 });
  expect([device.config.senseSize, device.config.cdbSize]).toEqual([10, 12]);
  await driver.stop();
  expect([device.config.senseSize, device.config.cdbSize]).toEqual([96, 32]);
});
