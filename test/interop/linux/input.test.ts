import { afterAll, describe, expect, it } from "vitest";
import { openKeyboard } from "../../../src/serve/keyboard.js";
import type { InputEvent } from "../../../generated/input.js";
import { requireGuest } from "./guest.js";
import { newerQemu, requireNewerQemu } from "./newer-qemu.js";
import { guestWith } from "./vhost-user.js";

if ((await requireGuest()) && (await requireNewerQemu()))
  describe("Linux's input driver and generated devices over vhost-user", { timeout: 120_000 }, () => {
    const sentBack: InputEvent[] = [];
    const errors: string[] = [];
    const keyboard = openKeyboard({
      name: "a keyboard of a test",
      feedback: (event) => void sentBack.push(event),
      onError: (error) => void errors.push(error.message),
    });
    afterAll(() => keyboard.close());
    const session = guestWith([keyboard.device], (socket) => ({
      program: newerQemu(),
      devices: ["-chardev", `socket,id=keys,path=${socket}`, "-device", "vhost-user-input-pci,chardev=keys"],
      modules: ["virtio_input", "evdev"],
    }));

    it("boots", async () => {
      console.log(await session.guest.run("ls /dev/input; cat /proc/bus/input/devices; ls /sys/class/leds"), errors);
      await session.guest.powerOff();
      expect(session.problems).toEqual([]);
    });
  });
