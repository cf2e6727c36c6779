import { afterAll, describe, expect, it } from "vitest";
import { InputDevice, type InputConfigAnswers, type InputEvent } from "../../../generated/input.js";
import { openKeyboard } from "../../../src/serve/keyboard.js";
import { until } from "../qemu/until.js";
import { requireGuest } from "./guest.js";
import { newerQemu, requireNewerQemu } from "./newer-qemu.js";
import { guestWith } from "./vhost-user.js";

const [EV_SYN, EV_KEY, EV_REL, EV_ABS, EV_LED] = [0, 1, 2, 3, 17] as const;
const [KEY_ENTER, KEY_A, BTN_LEFT, BTN_TOUCH] = [28, 30, 0x110, 0x14a] as const;
const [REL_X, REL_WHEEL] = [0, 8] as const;
const LED_CAPSL = 1;
const MOST_X = 32_767;

/** What a pointer with two axes answers. */
function pointerAnswer(select: string | number, subsel: number): InputConfigAnswers | undefined {
  const name = "a pointer of a test";
  const bits = (...bytes: number[]): InputConfigAnswers => ({
    size: bytes.length,
    u: { kind: "EV_BITS", bitmap: Uint8Array.from(bytes) },
  });
  switch (select) {
    case "ID_NAME":
      return { size: name.length, u: { kind: "ID_NAME", string: name } };
    case "EV_BITS":
      if (subsel === EV_ABS) return bits(3);
      return subsel === EV_KEY ? bits(...new Array<number>(BTN_TOUCH >> 3).fill(0), 1 << (BTN_TOUCH & 7)) : undefined;
    case "ABS_INFO":
      return {
        size: 20,
        u: { kind: "ABS_INFO", abs: { min: -5 >>> 0, max: MOST_X + subsel, fuzz: 1, flat: 2, res: 7 } },
      };
    default:
      return undefined;
  }
}

if ((await requireGuest()) && (await requireNewerQemu()))
  describe("Linux's input driver and generated devices over vhost-user", { timeout: 900_000 }, () => {
    const sentBack: InputEvent[] = [];
    const errors: string[] = [];
    const onError = (error: Error): void => void errors.push(error.message);
    const keyboard = openKeyboard({
      name: "a keyboard of a test",
      feedback: (event) => void sentBack.push(event),
      onError,
    });
    const pointer = new InputDevice({
      configWindow: ({ select, subsel }) => pointerAnswer(select, subsel),
      statusq: (buffer) => buffer.complete(),
      onProtocolError: onError,
    });
    afterAll(() => keyboard.close());
    const session = guestWith([keyboard.device, pointer], (...sockets) => ({
      program: newerQemu(),
      devices: sockets.flatMap((socket, index) => [
        ...["-chardev", `socket,id=input${index},path=${socket}`],
        ...["-device", `vhost-user-input-pci,chardev=input${index}`],
      ]),
      modules: ["virtio_input", "evdev"],
    }));
    /** Path of the event device with this name. */
    async function eventDevice(name: string): Promise<string> {
      const found = await session.guest.run(`grep -l '${name}' /sys/class/input/event*/device/name`);
      return found.replace("/sys/class/input/", "/dev/input/").replace("/device/name", "");
    }
    /** What a program prints that reads events while `send` sends them: first what the device is, then the events. */
    async function during(device: string, count: number, send: () => void): Promise<readonly [string[], string[]]> {
      const { guest } = session;
      const reading = guest.run(`events ${device} ${count} | tee /tmp/events`);
      await guest.until("grep -q ready /tmp/events");
      send();
      const lines = (await reading).split("\n");
      await guest.run("rm /tmp/events");
      const ready = lines.indexOf("ready");
      return [lines.slice(0, ready), lines.slice(ready + 1)];
    }

    it("is asked what it is, and what it can do", async () => {
      const { guest } = session;
      const [about] = await during(await eventDevice("a keyboard of a test"), 0, () => undefined);
      expect(about).toEqual(["name a keyboard of a test", "ids 6 1af4 1 1"]);
      const device = await eventDevice("a keyboard of a test");
      const folder = `/sys/class/input/${device.replace("/dev/input/", "")}/device`;
      expect(await guest.run(`cd ${folder}/capabilities && cat ev rel led`)).toBe("20007\n103\n7");
      expect(await guest.run(`cat ${folder}/capabilities/key`)).toMatch(/^70000 1ffffffffffffff( f{16}){2} f{15}e$/);
      const [axes] = await during(await eventDevice("a pointer of a test"), 0, () => undefined);
      expect(axes).toEqual([
        "name a pointer of a test",
        "ids 6 0 0 0",
        `axis 0 -5 ${MOST_X} 1 2 7`,
        `axis 1 -5 ${MOST_X + 1} 1 2 7`,
      ]);
    });

    it("hands on keys, buttons and movements with their codes, in order", async () => {
      const [, events] = await during(await eventDevice("a keyboard of a test"), 12, () => {
        keyboard.send(EV_KEY, KEY_A, 1);
        keyboard.sync();
        keyboard.send(EV_KEY, KEY_A, 0);
        keyboard.send(EV_KEY, KEY_ENTER, 1);
        keyboard.sync();
        keyboard.send(EV_KEY, KEY_ENTER, 0);
        keyboard.send(EV_KEY, BTN_LEFT, 1);
        keyboard.sync();
        keyboard.send(EV_REL, REL_X, -17);
        keyboard.send(EV_REL, REL_WHEEL, 2);
        keyboard.send(EV_KEY, BTN_LEFT, 0);
        keyboard.sync();
      });
      const sync = `${EV_SYN} 0 0`;
      expect(events).toEqual([
        ...[`${EV_KEY} ${KEY_A} 1`, sync, `${EV_KEY} ${KEY_A} 0`, `${EV_KEY} ${KEY_ENTER} 1`, sync],
        ...[`${EV_KEY} ${KEY_ENTER} 0`, `${EV_KEY} ${BTN_LEFT} 1`, sync],
        ...[`${EV_REL} ${REL_X} -17`, `${EV_REL} ${REL_WHEEL} 2`, `${EV_KEY} ${BTN_LEFT} 0`, sync],
      ]);
    });

    it("hands on where a pointer is", async () => {
      const [, events] = await during(await eventDevice("a pointer of a test"), 4, () => {
        const send = (type: number, code: number, value: number): void => {
          expect(pointer.eventq.send({ type, code, value: value >>> 0 })).toBe(true);
        };
        send(EV_KEY, BTN_TOUCH, 1);
        send(EV_ABS, 0, 12_345);
        send(EV_ABS, 1, -3);
        send(EV_SYN, 0, 0);
      });
      expect(events).toEqual([`${EV_KEY} ${BTN_TOUCH} 1`, `${EV_ABS} 0 12345`, `${EV_ABS} 1 -3`, `${EV_SYN} 0 0`]);
    });

    it("loses nothing over several laps of the ring", async () => {
      const { guest } = session;
      // No more at once than a program's own queue of events holds, and no keys that switch lights.
      const [groups, presses] = [10, 10];
      const keyOf = (number: number): number => 2 + (number % 50);
      const reading = guest.run(
        `events ${await eventDevice("a keyboard of a test")} ${4 * groups * presses} >/tmp/events`,
      );
      for (let group = 0; group < groups; group++) {
        await guest.until(
          `[ "$(grep -v '[a-z]' /tmp/events | wc -l)" = ${4 * group * presses} ] && grep -q ready /tmp/events`,
        );
        for (let press = group * presses; press < (group + 1) * presses; press++) {
          for (const value of [1, 0]) {
            keyboard.send(EV_KEY, keyOf(press), value);
            keyboard.sync();
          }
        }
      }
      await reading;
      const keys = (await guest.run(`grep '^${EV_KEY} ' /tmp/events; rm /tmp/events`)).split("\n");
      expect(keys).toEqual(
        Array.from({ length: 2 * groups * presses }, (_, at) => `${EV_KEY} ${keyOf(at >> 1)} ${1 - (at % 2)}`),
      );
    });

    it("is told of lights", async () => {
      const { guest } = session;
      sentBack.length = 0;
      const device = (await eventDevice("a keyboard of a test")).replace("/dev/input/", "");
      const light = `$(ls -d /sys/class/input/${device}/device/*::capslock)/brightness`;
      await guest.run(`echo 1 >${light}`);
      await until(() => sentBack.some(({ type, code, value }) => type === EV_LED && code === LED_CAPSL && value === 1));
      sentBack.length = 0;
      await guest.run(`echo 0 >${light}`);
      await until(() => sentBack.some(({ type, code, value }) => type === EV_LED && code === LED_CAPSL && value === 0));
    });

    it("is let go of and taken anew", async () => {
      const { guest } = session;
      await guest.run("rmmod virtio_input && modprobe virtio_input");
      await guest.until("grep -q 'a keyboard of a test' /sys/class/input/event*/device/name");
      const [about, events] = await during(await eventDevice("a keyboard of a test"), 2, () => {
        keyboard.send(EV_KEY, KEY_A, 1);
        keyboard.sync();
      });
      expect([about[0], ...events]).toEqual(["name a keyboard of a test", `${EV_KEY} ${KEY_A} 1`, `${EV_SYN} 0 0`]);
      await guest.powerOff();
      expect([...errors, ...session.problems]).toEqual([]);
    });
  });
