import { expect, test } from "vitest";
import { ScsiAsyncEvents, ScsiDevice, ScsiDriver, ScsiEventWord, ScsiEventWordKind, ScsiResetReason, type ScsiCommandInput, type ScsiEvent } from "../../generated/scsi.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { ascii, bytes, textOf, until } from "./turns.js";

const ALL = ["INOUT", "HOTPLUG", "CHANGE", "T10_PI"] as const;
const INQUIRY = 0x12;
const WRITE = 0x2a;
const CHECK_CONDITION = 2;
const lun = { format: 1, target: 0, unit: 0x4000 };

async function start(features: readonly (typeof ALL)[number][] = ALL) {
  const written: Uint8Array[] = [];
  const aborted: bigint[] = [];
  const events: ScsiEvent[] = [];
  const device = new ScsiDevice({
    features,
    config: { numQueues: 2, segMax: 126, maxSectors: 0xffff, cmdPerLun: 128, eventInfoSize: 16, maxChannel: 0, maxTarget: 255, maxLun: 16383 },
    controlq(request) {
      switch (request.type) {
        case "TMF":
          if (request.subtype !== "ABORT_TASK") return request.complete("FUNCTION_REJECTED");
          aborted.push(request.id);
          return request.complete("FUNCTION_SUCCEEDED");
        case "AN_QUERY":
        case "AN_SUBSCRIBE":
          return request.complete({ eventActual: request.eventRequested & ScsiAsyncEvents.MEDIA_CHANGE, response: "OK" });
        default:
          return request.complete();
      }
    },
    requestQueue(request) {
      const answer = { senseLen: 0, residual: 0, statusQualifier: 0, status: 0 };
      if (request.lun.target !== 0) return request.complete({ ...answer, response: "BAD_TARGET" });
      const opcode = request.cdb.byteAt(0);
      if (opcode === INQUIRY) {
        const inquiry = ascii("\0\0\x06\x02\x1f\0\0\0VIRTIO  test disk       1.0 ");
        request.datain.write(inquiry);
        request.piIn.write(bytes(0x11, 0x22));
        return request.complete({ ...answer, residual: request.datain.length - inquiry.length, response: "OK" });
      }
      if (opcode === WRITE) {
        written.push(request.piOut.toUint8Array(), request.dataout.toUint8Array());
        return request.complete({ ...answer, response: "OK" });
      }
      request.sense.write(bytes(0x70, 0, 5, 0, 0, 0, 0, 10));
      return request.complete({ ...answer, senseLen: 18, residual: request.datain.length, status: CHECK_CONDITION, response: "OK" });
    },
  });
  const driver = await ScsiDriver.start(loopback(device), { features, eventq: (event) => void events.push(event) });
  return { device, driver, written, aborted, events };
}

function command(opcode: number, more: Partial<ScsiCommandInput> = {}): ScsiCommandInput {
  const cdb = new Uint8Array(32);
  cdb[0] = opcode;
  return { lun, id: 1n, taskAttr: "SIMPLE", prio: 0, crn: 0, cdb, dataout: bytes(), datain: 0, ...more };
}

test("INQUIRY, with what is left, on every queue", async () => {
  const { driver } = await start([]);
  expect(driver.requestQueues).toHaveLength(2);
  for (const queue of driver.requestQueues) {
    const reply = await queue.submit(command(INQUIRY, { datain: 64 }));
    expect(reply).toMatchObject({ residual: 64 - 36, status: 0, response: "OK", senseLen: 0, piIn: undefined });
    expect(textOf(reply.datain.subarray(8, 16))).toBe("VIRTIO  ");
  }
  await driver.stop();
});

test("an unknown command has sense data, an unknown target nothing", async () => {
  const { driver } = await start();
  const reply = await driver.requestQueue.submit(command(0xff, { datain: 4 }));
  expect(reply).toMatchObject({ status: CHECK_CONDITION, senseLen: 18, residual: 4 });
  expect(reply.sense.subarray(0, 8)).toEqual(bytes(0x70, 0, 5, 0, 0, 0, 0, 10));
  const other = await driver.requestQueue.submit(command(INQUIRY, { lun: { ...lun, target: 4 }, datain: 4 }));
  expect(other).toMatchObject({ response: "BAD_TARGET", sense: bytes(), datain: bytes() });
  await driver.stop();
});

test("protection information goes in front of the data, both ways", async () => {
  const { driver, written } = await start();
  await driver.requestQueue.submit(command(WRITE, { piOut: bytes(1, 2, 3), dataout: bytes(9, 8) }));
  expect(written).toEqual([bytes(1, 2, 3), bytes(9, 8)]);
  const reply = await driver.requestQueue.submit(command(INQUIRY, { piBytesin: 2, datain: 36 }));
  expect(reply.piIn).toEqual(bytes(0x11, 0x22));
  expect(reply.datain).toHaveLength(36);
  await driver.stop();
});

test("the lengths of CDB and sense data are the driver's to choose", async () => {
  const { device, driver } = await start([]);
  expect(driver.config).toMatchObject({ cdbSize: 32, senseSize: 96 });
  await driver.writeConfig({ cdbSize: 16, senseSize: 18 });
  await expect(driver.requestQueue.submit(command(INQUIRY))).rejects.toMatchObject({ rule: "length-mismatch" });
  const reply = await driver.requestQueue.submit({ ...command(0xff), cdb: new Uint8Array(16).fill(0xff) });
  expect(reply.senseLen).toBe(18);
  await driver.stop();
  expect([device.config.cdbSize, device.config.senseSize]).toEqual([32, 96]);
});

test("task management and subscription", async () => {
  const { driver, aborted } = await start();
  const { controlq } = driver;
  expect(await controlq.submit({ type: "TMF", subtype: "ABORT_TASK", lun, id: 77n })).toEqual({ response: "FUNCTION_SUCCEEDED" });
  expect(await controlq.submit({ type: "TMF", subtype: "CLEAR_ACA", lun, id: 0n })).toEqual({ response: "FUNCTION_REJECTED" });
  expect(aborted).toEqual([77n]);
  const eventRequested = ScsiAsyncEvents.MEDIA_CHANGE | ScsiAsyncEvents.POWER_MGMT;
  const reply = { eventActual: ScsiAsyncEvents.MEDIA_CHANGE, response: "OK" };
  expect(await controlq.submit({ type: "AN_SUBSCRIBE", lun, eventRequested })).toEqual(reply);
  await driver.stop();
});

test("a disk appears, and events were lost before", async () => {
  const { device, driver, events } = await start();
  await until(() => device.eventq.available > 0);
  const event = ScsiEventWordKind.TRANSPORT_RESET + ScsiEventWord.EVENTS_MISSED;
  device.eventq.send({ event, lun: { ...lun, target: 3 }, reason: ScsiResetReason.RESCAN });
  await until(() => events.length > 0);
  expect(events).toEqual([{ event, lun: { format: 1, target: 3, unit: 0x4000 }, reason: ScsiResetReason.RESCAN }]);
  await driver.stop();
});
