import { describe, expect, it } from "vitest";
import { ScsiDriver, type ScsiEvent, type ScsiLun } from "../../../generated/scsi.js";
import { onPc, requireQemu, withImage } from "./machine.js";
import { until } from "./until.js";

const SECTORS = 2048;
const SECTOR = 512;
const GOOD = 0;
const CHECK_CONDITION = 2;

const lun = (target: number, unit: number): ScsiLun => ({ format: 1, target, unit: 0x4000 + unit });

/** A command descriptor block of the length that the configuration says. */
function cdb(driver: ScsiDriver, ...bytes: number[]): Uint8Array {
  const block = new Uint8Array(driver.config.cdbSize);
  block.set(bytes);
  return block;
}
const be32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const read10 = (sector: number, count: number): number[] => [0x28, 0, ...be32(sector), 0, count >>> 8, count & 255];
const write10 = (sector: number, count: number): number[] => [0x2a, 0, ...be32(sector), 0, count >>> 8, count & 255];

let tag = 0n;
async function command(driver: ScsiDriver, at: ScsiLun, bytes: number[], datain = 0, dataout = new Uint8Array(0)) {
  return await driver.requestQueue.submit({
    ...{ lun: at, id: tag++, taskAttr: "SIMPLE", prio: 0, crn: 0 },
    ...{ cdb: cdb(driver, ...bytes), datain, dataout },
  });
}

/** QEMU 7.2 takes the first descriptor of each direction for the header of a command, whatever was negotiated. */
const cut = { readable: 19 + 32, writable: 12 + 96 };

function devices(path: string, throttle = ""): string[] {
  return [
    "-drive", `file=${path},if=none,id=disk,format=raw,cache=writeback${throttle}`,
    "-device", "virtio-scsi-pci,id=scsi,num_queues=2",
    "-device", "scsi-hd,bus=scsi.0,drive=disk,id=unit,scsi-id=3,lun=1,vendor=virtgen,product=disk,serial=abc123",
  ]; // prettier-ignore
}

const image = Uint8Array.from({ length: SECTORS * SECTOR }, (_, index) => (index * 7 + (index >>> 9)) & 255);

describe.runIf(await requireQemu())("QEMU's virtio-scsi", () => {
  it("inquires, reads, writes and reports errors over PCI", { timeout: 900_000 }, async () => {
    await withImage(image, async (file) => {
      await onPc(devices(file.path), async (machine) => {
        const driver = await ScsiDriver.start(await machine.open(8), { features: ["HOTPLUG", "CHANGE"], cut });
        expect(driver.config).toMatchObject({ numQueues: 2, cdbSize: 32, senseSize: 96, maxTarget: 255 });
        expect(driver.requestQueues.length).toBe(2);
        const disk = lun(3, 1);

        // The first command after a reset of the unit is told of it.
        const attention = await command(driver, disk, [0x00]);
        expect(attention).toMatchObject({ response: "OK", status: CHECK_CONDITION });
        expect(attention.senseLen).toBeGreaterThanOrEqual(14);
        // Sense key UNIT ATTENTION in the fixed format.
        expect((attention.sense[2] ?? 0) & 15).toBe(6);

        const inquiry = await command(driver, disk, [0x12, 0, 0, 0, 96, 0], 96);
        expect(inquiry).toMatchObject({ response: "OK", status: GOOD });
        expect(Buffer.from(inquiry.datain.subarray(8, 32)).toString("latin1")).toBe("virtgen disk            ");

        const capacity = await command(driver, disk, [0x25], 8);
        const numbers = Buffer.from(capacity.datain);
        expect([numbers.readUInt32BE(0), numbers.readUInt32BE(4)]).toEqual([SECTORS - 1, SECTOR]);

        const read = await command(driver, disk, read10(100, 16), 16 * SECTOR);
        expect(read).toMatchObject({ response: "OK", status: GOOD, residual: 0 });
        expect(Buffer.from(read.datain).equals(image.subarray(100 * SECTOR, 116 * SECTOR))).toBe(true);

        const data = Uint8Array.from({ length: 8 * SECTOR }, (_, index) => (index * 13 + 5) & 255);
        const written = await command(driver, disk, write10(200, 8), 0, data);
        expect(written).toMatchObject({ response: "OK", status: GOOD, residual: 0 });
        expect((await command(driver, disk, [0x35])).status).toBe(GOOD);
        expect(Buffer.from((await file.read()).subarray(200 * SECTOR, 208 * SECTOR)).equals(data)).toBe(true);

        // Half of the buffer is not used, and `residual` says so.
        const short = await command(driver, disk, read10(0, 1), 2 * SECTOR);
        expect(short).toMatchObject({ response: "OK", status: GOOD });
        // QEMU 7.2 counts from the wrong end, and says -512.
        expect([SECTOR, 2 ** 32 - SECTOR]).toContain(short.residual);
        const beyond = await command(driver, disk, read10(SECTORS, 1), SECTOR);
        expect(beyond).toMatchObject({ response: "OK", status: CHECK_CONDITION });
        // ILLEGAL REQUEST
        expect((beyond.sense[2] ?? 0) & 15).toBe(5);
        expect((await command(driver, lun(4, 0), [0x00])).response).toBe("BAD_TARGET");
        await driver.stop();
      });
    });
  });

  it(
    "manages tasks: a reset of the unit ends its commands, and an event names a unit that is pulled out",
    { timeout: 900_000 },
    async () => {
      await withImage(image, async (file) => {
        // One block a second: what is sent at once stays in flight, for minutes.
        await onPc(
          devices(file.path, `,throttling.iops-total=1,throttling.iops-size=${String(SECTOR)}`),
          async (machine) => {
            const events: ScsiEvent[] = [];
            const driver = await ScsiDriver.start(await machine.open(8), {
              features: ["HOTPLUG"],
              cut,
              eventq: (event) => void events.push(event),
            });
            const disk = lun(3, 1);
            await command(driver, disk, [0x00]);
            const inFlight = Array.from({ length: 4 }, async (_, index) => {
              const reply = await command(driver, disk, read10(index, 100), 100 * SECTOR);
              return reply.response;
            });
            const query = await driver.controlq.submit({ type: "TMF", subtype: "QUERY_TASK_SET", lun: disk, id: 0n });
            expect(query.response).toBe("FUNCTION_SUCCEEDED");
            const reset = await driver.controlq.submit({
              type: "TMF",
              subtype: "LOGICAL_UNIT_RESET",
              lun: disk,
              id: 0n,
            });
            expect(reset.response).toBe("FUNCTION_COMPLETE");
            const responses = await Promise.all(inFlight);
            expect(responses.filter((response) => response === "RESET").length).toBeGreaterThanOrEqual(2);
            const none = await driver.controlq.submit({
              type: "TMF",
              subtype: "ABORT_TASK_SET",
              lun: lun(9, 0),
              id: 0n,
            });
            expect(none.response).toBe("BAD_TARGET");

            // The unit is pulled out: an event names it.
            await machine.qemu.qmp.execute("device_del", { id: "unit" });
            await until(() => events.length > 0);
            // In events QEMU 7.2 leaves out the 0x4000 of the addressing method.
            expect([1, 0x4001]).toContain(events[0]?.lun.unit);
            expect(events[0]).toMatchObject({ lun: { format: 1, target: 3 }, reason: 2 });
            expect((await command(driver, disk, [0x00])).response).toBe("BAD_TARGET");
            await driver.stop();
          },
        );
      });
    },
  );
});
