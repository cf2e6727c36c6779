import { randomBytes } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { DeviceStatus } from "../../../src/runtime/index.js";
import { until } from "../qemu/until.js";
import type { Screen } from "./screen.js";
import { PATIENCE, unbind, type V86Session } from "./v86-session.js";

const CONNECTOR = "/sys/class/drm/card0-Virtual-1";

/** Of the picture that guest/draw.c draws. */
function pixel(x: number, y: number, seed: number): number {
  return (((x * 7 + seed) & 0xff) << 16) | (((y * 11 + seed) & 0xff) << 8) | ((x ^ y) & 0xff);
}
function picture(width: number, height: number, seed: (x: number, y: number) => number): Buffer {
  const bytes = Buffer.alloc(4 * width * height);
  for (let at = 0; at < width * height; at++) {
    const [x, y] = [at % width, Math.floor(at / width)];
    bytes.writeUInt32LE(pixel(x, y, seed(x, y)), 4 * at);
  }
  return bytes;
}

/** Tests of Linux's virtio_gpu, in 2D. The screen has 640 by 480 pixels. */
export function judgeScreen(session: V86Session, screen: Screen): void {
  beforeAll(async () => {
    await session.guest.run("modprobe virtio-gpu", PATIENCE);
  }, 3000 * PATIENCE);

  const isShown = (expected: Buffer): boolean => expected.equals(screen.pixels);

  it("finds the display, and what it says of itself", async () => {
    const { guest } = session;
    expect(await guest.run(`cat ${CONNECTOR}/status`)).toBe("connected");
    expect((await guest.attempt(`cat ${CONNECTOR}/edid`)).bytes).toEqual(Buffer.from(screen.edid));
    expect((await guest.run(`cat ${CONNECTOR}/modes`)).split("\n")[0]).toBe("640x480");
    expect(await guest.run("cat /sys/class/graphics/fb0/virtual_size")).toBe("640,480");
  });

  it("shows what is written to the frame buffer, pixel by pixel", async () => {
    const { guest } = session;
    // The text console blinks its cursor into the same memory.
    await guest.run("echo 0 >/sys/class/graphics/fbcon/cursor_blink; printf '\\033[?25l' >/dev/tty0");
    const line = randomBytes(4 * 640);
    const text = Array.from(line, (byte) => `\\${byte.toString(8).padStart(3, "0")}`);
    await guest.run(": >/tmp/line");
    for (let at = 0; at < text.length; at += 256) {
      await guest.run(`printf '${text.slice(at, at + 256).join("")}' >>/tmp/line`);
    }
    // 8 lines, 64 and 480: a program takes its time to start.
    const times = (count: number, name: string): string => Array<string>(count).fill(`/tmp/${name}`).join(" ");
    await guest.run(`cat ${times(8, "line")} >/tmp/8 && cat ${times(8, "8")} >/tmp/64`, PATIENCE);
    await guest.run(`cat ${times(7, "64")} ${times(4, "8")} >/dev/fb0`, PATIENCE);
    const expected = Buffer.concat(Array.from({ length: 480 }, () => line));
    await until(() => isShown(expected), PATIENCE);
    await guest.run("rm /tmp/line /tmp/8 /tmp/64");
  });

  it("shows a program's picture, what changes of it, and its cursor", async () => {
    const { guest } = session;
    const { cursor } = screen;
    await guest.run("draw >/tmp/drawn 2>&1 &");
    await guest.until("grep -q drawn /tmp/drawn", PATIENCE);
    expect(await guest.run("cat /tmp/drawn")).toBe("screen 640x480\ndrawn");
    const expected = picture(640, 480, (x, y) => (x >= 10 && x < 60 && y >= 20 && y < 60 ? 99 : 1));
    await until(() => isShown(expected), PATIENCE);
    await until(() => cursor.moves > 0, PATIENCE);
    expect(cursor).toMatchObject({ x: 123, y: 234, hotX: 3, hotY: 4 });
    expect(picture(64, 64, () => 5).equals(cursor.pixels)).toBe(true);
    await guest.run("killall draw");
    // The frame buffer comes back, and the program's resources go.
    await until(() => screen.resources.size === 1, PATIENCE);
    expect(screen.shown).toBe([...screen.resources.values()][0]);
  });

  it("is told that the display has another size", async () => {
    const { guest } = session;
    screen.resize(800, 600);
    // Linux has asked what there is now, and says so.
    await until(() => screen.device.config.eventsRead === 0, PATIENCE);
    // That it lists the modes again is for whoever draws to say.
    await guest.run(`echo detect >${CONNECTOR}/status`, PATIENCE);
    expect((await guest.run(`cat ${CONNECTOR}/modes`)).split("\n")[0]).toBe("800x600");
    expect((await guest.attempt(`cat ${CONNECTOR}/edid`)).bytes).toEqual(Buffer.from(screen.edid));
  });

  it("takes its memory back when the driver goes, and starts again", async () => {
    const { guest } = session;
    const bind = await unbind(session, "virtio_gpu");
    expect(screen.resources.size).toBe(0);
    // Linux has seen that there is a device, and no more.
    expect(screen.device.status).toBe(DeviceStatus.ACKNOWLEDGE);
    await bind();
    await guest.until(`[ "$(cat ${CONNECTOR}/status)" = connected ]`, PATIENCE);
    expect(await guest.run("cat /sys/class/graphics/fb0/virtual_size")).toBe("800,600");
    await guest.run("head -c 1920000 /dev/zero >/dev/fb0", PATIENCE);
    await until(() => screen.pixels.length === 1_920_000 && screen.pixels.every((byte) => byte === 0), PATIENCE);
  });
}
