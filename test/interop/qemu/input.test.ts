import { describe, expect, it } from "vitest";
import { InputDriver, type InputEvent } from "../../../generated/input.js";
import { onMicrovm, onPc, requireQemu } from "./machine.js";
import { until } from "./until.js";

/** Numbers of evdev. */
const EV_SYN = 0;
const EV_KEY = 1;
const EV_REL = 2;
const EV_ABS = 3;
const EV_LED = 17;
const KEY_A = 30;
const BTN_LEFT = 0x110;

const hasBit = (bitmap: Uint8Array, bit: number): boolean => (((bitmap[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;

async function bitmap(driver: InputDriver, subsel: number): Promise<Uint8Array> {
  const { u } = await driver.queryConfig({ select: "EV_BITS", subsel });
  return u?.kind === "EV_BITS" ? u.bitmap : new Uint8Array(0);
}

describe.runIf(await requireQemu())("QEMU's virtio-input", () => {
  it("a tablet over PCI says what it is, and where the pointer is put through QMP", { timeout: 900_000 }, async () => {
    await onPc(["-device", "virtio-tablet-pci,serial=tab1"], async (machine) => {
      const events: InputEvent[] = [];
      const driver = await InputDriver.start(await machine.open(18), { eventq: (event) => void events.push(event) });
      // QEMU counts the NUL at the end of its name; not that of a serial number.
      expect((await driver.queryConfig({ select: "ID_NAME", subsel: 0 })).u).toEqual({
        kind: "ID_NAME",
        string: "QEMU Virtio Tablet\0",
      });
      expect((await driver.queryConfig({ select: "ID_SERIAL", subsel: 0 })).u).toEqual({
        kind: "ID_SERIAL",
        string: "tab1",
      });
      // Bus BUS_VIRTUAL; QEMU's own vendor.
      expect((await driver.queryConfig({ select: "ID_DEVIDS", subsel: 0 })).u).toMatchObject({
        kind: "ID_DEVIDS",
        ids: { bustype: 6, vendor: 0x0627 },
      });
      for (const axis of [0, 1]) {
        const { u } = await driver.queryConfig({ select: "ABS_INFO", subsel: axis });
        expect(u).toMatchObject({ kind: "ABS_INFO", abs: { min: 0, max: 0x7fff } });
      }
      expect(hasBit(await bitmap(driver, EV_KEY), BTN_LEFT)).toBe(true);
      expect(await driver.queryConfig({ select: "EV_BITS", subsel: EV_LED })).toMatchObject({ size: 0 });
      expect(await driver.queryConfig({ select: 0x77, subsel: 1 })).toMatchObject({ size: 0 });

      await machine.qemu.qmp.execute("input-send-event", {
        events: [
          { type: "abs", data: { axis: "x", value: 0x1234 } },
          { type: "abs", data: { axis: "y", value: 0x7fff } },
          { type: "btn", data: { down: true, button: "left" } },
        ],
      });
      await until(() => events.some(({ type }) => type === EV_SYN));
      expect(events).toEqual([
        { type: EV_ABS, code: 0, value: 0x1234 },
        { type: EV_ABS, code: 1, value: 0x7fff },
        { type: EV_KEY, code: BTN_LEFT, value: 1 },
        { type: EV_SYN, code: 0, value: 0 },
      ]);
      await driver.stop();
    });
  });

  it(
    "a keyboard over MMIO: keys from QMP, more of them than there are buffers, and a light",
    { timeout: 900_000 },
    async () => {
      await onMicrovm(["-device", "virtio-keyboard-device"], async (machine) => {
        const events: InputEvent[] = [];
        const driver = await InputDriver.start(await machine.open(18), { eventq: (event) => void events.push(event) });
        expect(hasBit(await bitmap(driver, EV_KEY), KEY_A)).toBe(true);
        expect(hasBit(await bitmap(driver, EV_LED), 1)).toBe(true);
        expect((await bitmap(driver, EV_REL)).length).toBe(0);
        for (let index = 0; index < 100; index++) {
          const key = { type: "qcode", data: "a" };
          await machine.qemu.qmp.execute("input-send-event", {
            events: [{ type: "key", data: { down: index % 2 === 0, key } }],
          });
          await until(() => events.length === 2 * (index + 1));
        }
        const keys = events.filter(({ type }) => type === EV_KEY);
        expect(keys.map(({ code, value }) => `${String(code)}=${String(value)}`)).toEqual(
          Array.from({ length: 100 }, (_, index) => `${String(KEY_A)}=${index % 2 === 0 ? "1" : "0"}`),
        );
        // QEMU takes the feedback; what it does with it is not to be seen from outside.
        await driver.statusq.send({ type: EV_LED, code: 1, value: 1 });
        await driver.stop();
      });
    },
  );
});
