import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ConsoleDevice } from "../../../generated/console.js";
import { EntropyDevice } from "../../../generated/entropy.js";
import type { InputEvent } from "../../../generated/input.js";
import { openKeyboard } from "../../../src/serve/keyboard.js";
import { until } from "../qemu/until.js";
import { LateDisk } from "./late-disk.js";
import { requireV86, V86Guest } from "./v86-guest.js";

const EV_SYN = 0;
const EV_KEY = 1;
const EV_REL = 2;
const EV_LED = 17;
const MIB = 1 << 20;
/** Bytes of Linux's struct input_event on processors of 32 bits: two words of time, type, code, value. */
const EVENT_LENGTH = 16;

const suite = describe.runIf(await requireV86());
suite("Linux's drivers and generated devices on v86's PCI bus", { timeout: 900_000 }, () => {
  const disk = new LateDisk(16 * MIB);
  let moves = 0;
  const random = randomBytes(4096);
  let drawn = 0;
  const entropy = new EntropyDevice({
    requestq(request) {
      const bytes = Uint8Array.from({ length: request.data.length }, () => random[drawn++ % random.length] ?? 0);
      request.data.write(bytes);
      return request.complete();
    },
  });
  const feedback: InputEvent[] = [];
  const keyboard = openKeyboard({ name: "a keyboard in TypeScript", feedback: (event) => feedback.push(event) });
  let typed = "";
  const terminal = new ConsoleDevice({
    features: ["SIZE"],
    config: { cols: 80, rows: 25 },
    transmitq(buffer) {
      typed += Buffer.from(buffer.data.toUint8Array()).toString("latin1");
      return buffer.complete();
    },
  });
  const devices = [disk.device, entropy, keyboard.device, terminal];
  const problems: string[] = [];
  let guest: V86Guest;
  beforeAll(async () => {
    for (const device of devices) device.onProtocolError = (error) => problems.push(error.message);
    const moved = disk.device.memoryMoved.bind(disk.device);
    disk.device.memoryMoved = () => {
      moves++;
      moved();
    };
    const modules = ["virtio_pci", "virtio_blk", "virtio-rng", "virtio_input", "evdev", "virtio_console"];
    guest = await V86Guest.start(devices, modules);
  }, 900_000);
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error([...problems, guest.account()].join("\n"));
  });
  afterAll(async () => await guest.close());

  it("finds each of them, and gives it a driver", async () => {
    const drivers = await guest.run("cd /sys/bus/virtio/devices; for d in *; do basename $(readlink $d/driver); done");
    expect(drivers.split("\n")).toEqual(["virtio_blk", "virtio_rng", "virtio_input", "virtio_console"]);
    expect(problems).toEqual([]);
  });

  it("writes and reads the disk, while v86's memory moves under the requests", async () => {
    await guest.run("dd if=/dev/urandom of=/file bs=1M count=2 && dd if=/file of=/dev/vda bs=64k && sync");
    const written = (await guest.run("sha256sum </file")).slice(0, 64);
    expect(disk.sha256(2 * MIB)).toBe(written);
    await guest.run("echo 3 >/proc/sys/vm/drop_caches");
    expect((await guest.run("head -c 2097152 /dev/vda | sha256sum")).slice(0, 64)).toBe(written);
    expect(disk.mostInFlight).toBeGreaterThan(1);
    expect(moves).toBeGreaterThan(0);
    expect(problems).toEqual([]);
  });

  it("draws random bytes from the host", async () => {
    expect(await guest.run("cat /sys/class/misc/hw_random/rng_current")).toMatch(/^virtio_rng/);
    const { bytes } = await guest.attempt("dd if=/dev/hwrng bs=64 count=4 iflag=fullblock 2>/dev/null");
    expect(bytes.length).toBe(256);
    const twice = Buffer.concat([random, random]);
    for (let at = 0; at < bytes.length; at += 64) expect(twice.indexOf(bytes.subarray(at, at + 64))).not.toBe(-1);
  });

  it("sees keys and movements of the pointer, and lights a LED", async () => {
    // v86 has a keyboard of its own.
    const found = await guest.run("cd /sys/class/input; grep -l 'a keyboard in TypeScript' event*/device/name");
    const path = `/dev/input/${found.split("/")[0] ?? ""}`;
    const events = [
      [EV_KEY, 30, 1],
      [EV_KEY, 30, 0],
      [EV_REL, 0, -5],
      [EV_REL, 1, 7],
      [EV_KEY, 0x110, 1],
    ] as const;
    // Each followed by a report, as Linux hands events on in groups.
    const count = 2 * events.length;
    const reading = `dd if=${path} of=/tmp/events bs=${EVENT_LENGTH} count=${count} >/dev/null 2>&1 & reader=$!`;
    await guest.run(`${reading}; until readlink /proc/$reader/fd/0 | grep -q ${path}; do usleep 20000; done`);
    for (const [type, code, value] of events) {
      keyboard.send(type, code, value);
      keyboard.sync();
    }
    await guest.run(`until [ $(wc -c </tmp/events) = ${count * EVENT_LENGTH} ]; do usleep 20000; done`);
    const { bytes } = await guest.attempt("cat /tmp/events");
    const seen = Array.from({ length: bytes.length / EVENT_LENGTH }, (_, index) => {
      const at = index * EVENT_LENGTH + 8;
      return [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2), bytes.readInt32LE(at + 4)];
    });
    expect(seen).toEqual(events.flatMap((event) => [[...event], [EV_SYN, 0, 0]]));
    // An event that the guest writes goes to the device: struct input_event again.
    const capsLock = "\\0\\0\\0\\0\\0\\0\\0\\0\\021\\0\\001\\0\\001\\0\\0\\0";
    await guest.run(`printf '${capsLock}' >${path}`);
    await until(() => feedback.length > 0);
    expect(feedback[0]).toEqual({ type: EV_LED, code: 1, value: 1 });
  });

  it("has a terminal on the console, both ways", async () => {
    await guest.run("stty -F /dev/hvc0 -echo; echo 'hello from Linux' >/dev/hvc0");
    await until(() => typed.includes("hello from Linux\r\n"));
    const reading = guest.run("head -n 1 /dev/hvc0");
    terminal.receiveq.send({ data: Buffer.from("hello from TypeScript\n") });
    expect(await reading).toBe("hello from TypeScript");
  });

  it("unbinds the disk's driver under load and binds it again", async () => {
    await guest.run(
      "dd if=/dev/vda of=/dev/null bs=64k count=64 & sleep 0.1; cd /sys/bus/virtio/drivers/virtio_blk; echo virtio0 >unbind; wait; echo virtio0 >bind",
    );
    expect((await guest.run("head -c 2097152 /dev/vda | sha256sum")).slice(0, 64)).toBe(disk.sha256(2 * MIB));
    expect(problems).toEqual([]);
  });

  it("runs code that a disk has put where other code was", async () => {
    for (const [page, result] of [11, 22, 33].entries()) {
      // mov eax, result; ret
      disk.bytes.set([0xb8, result, 0, 0, 0, 0xc3], page * 4096);
    }
    expect(await guest.run("fresh-code /dev/vda")).toBe("11\n22\n33");
    expect(problems).toEqual([]);
  });
});
