import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MmioBus } from "../../../examples/v86/mmio-bus.js";
import { ConsoleDevice } from "../../../generated/console.js";
import { EntropyDevice } from "../../../generated/entropy.js";
import { CommonFeature, DeviceStatus } from "../../../src/runtime/index.js";
import { MmioRegister, type MmioTransport } from "../../../src/runtime/transport/mmio/index.js";
import { until } from "../qemu/until.js";
import { LateDisk } from "./late-disk.js";
import { requireV86, V86Guest, type V86Plugs } from "./v86-guest.js";

const MIB = 1 << 20;
const SIZE = 16 * MIB;
const WRITTEN = 2 * MIB;
/** For how long anything in the guest may take, in seconds. */
const PATIENCE = 300;
const RUNNING = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER | DeviceStatus.DRIVER_OK;

const suite = describe.runIf(await requireV86());
suite("Linux's virtio_mmio and generated devices behind memory-mapped registers in v86", { timeout: 900_000 }, () => {
  const modern = new LateDisk(SIZE);
  const packed = new LateDisk(SIZE, ["RING_PACKED"]);
  const legacy = new LateDisk(SIZE);
  const random = randomBytes(4096);
  let drawn = 0;
  /** What a request for random bytes waits for. */
  let held: Promise<void> | undefined;
  let waiting = 0;
  const entropy = new EntropyDevice({
    async requestq(request) {
      if (held !== undefined) {
        waiting++;
        await held;
      }
      const bytes = Uint8Array.from({ length: request.data.length }, () => random[drawn++ % random.length] ?? 0);
      request.data.write(bytes);
      return request.complete();
    },
  });
  let typed = "";
  const terminal = new ConsoleDevice({
    features: ["SIZE"],
    config: { cols: 80, rows: 25 },
    transmitq(buffer) {
      typed += Buffer.from(buffer.data.toUint8Array()).toString("latin1");
      return buffer.complete();
    },
  });
  const problems: string[] = [];
  const onError = (error: Error): void => void problems.push(error.message);
  const transports: MmioTransport[] = [];
  /** By device: what the guest's block layer calls a disk. */
  const names = new Map<LateDisk, string>();
  let guest: V86Guest;

  beforeAll(async () => {
    const modules = ["virtio_mmio", "virtio_blk", "virtio-rng", "virtio_console", "ext4", "crc32c_generic"];
    const plugIn: V86Plugs["plugIn"] = (machine, memory) => {
      const bus = new MmioBus(machine, memory);
      for (const [irq, device] of [
        [10, modern.device],
        [10, entropy],
        [11, terminal],
        [11, packed.device],
      ] as const) {
        transports.push(bus.plugIn(irq, device, { onError }));
      }
      transports.push(bus.plugIn(5, legacy.device, { onError, legacy: true }));
      for (const { device } of transports) device.onProtocolError = onError;
    };
    guest = await V86Guest.start({ acpi: true, plugIn }, modules);
    for (const [index, disk] of [
      [0, modern],
      [3, packed],
      [4, legacy],
    ] as const) {
      names.set(disk, await run(`ls ${platformDevice(index)}/virtio*/block`));
    }
  }, 900_000);
  afterEach((context) => {
    if (context.task.result?.state === "fail") console.error([...problems, guest.account()].join("\n"));
  });
  afterAll(async () => await guest.close());

  const run = (command: string): Promise<string> => guest.run(command, PATIENCE);
  function platformDevice(index: number): string {
    return `/sys/bus/platform/devices/LNRO0005:0${index}`;
  }
  function transport(index: number): MmioTransport {
    const found = transports[index];
    if (found === undefined) throw new RangeError(`there is no device ${index}`);
    return found;
  }

  it("finds each of them, with its version and its interrupt, and gives it a driver", async () => {
    const places = [0, 1, 2, 3, 4].map(platformDevice).join(" ");
    const found = await run(`for d in ${places}; do basename $(readlink $d/virtio*/driver); done`);
    expect(found.split("\n")).toEqual(["virtio_blk", "virtio_rng", "virtio_console", "virtio_blk", "virtio_blk"]);
    const features = await run(`cut -c 29,33,35 ${places.replaceAll(/(\d)( |$)/g, "$1/virtio*/features$2")}`);
    // INDIRECT_DESC, VERSION_1 and RING_PACKED
    expect(features.split("\n")).toEqual(["110", "110", "110", "111", "100"]);
    const interrupts = (await run("grep virtio /proc/interrupts")).split("\n");
    const lines = interrupts.map((line) => {
      const [irq, count, , , ...users] = line.trim().split(/[ ,]+/);
      return { irq, isUsed: Number(count) > 0, users: users.length };
    });
    expect(lines).toEqual([
      { irq: "5:", isUsed: true, users: 1 },
      { irq: "10:", isUsed: true, users: 2 },
      { irq: "11:", isUsed: true, users: 2 },
    ]);
    for (const { device } of transports.slice(0, 4)) expect(device.status).toBe(RUNNING | DeviceStatus.FEATURES_OK);
    expect(transport(4).device.status).toBe(RUNNING);
    expect(problems).toEqual([]);
  });

  it("writes and reads three disks at once, of version 2, with packed rings and of version 1", async () => {
    const disks = [...names];
    await run(`dd if=/dev/urandom of=/file bs=1M count=${WRITTEN / MIB} 2>/dev/null`);
    const writing = disks.map(([, name]) => `dd if=/file of=/dev/${name} bs=64k 2>/dev/null &`);
    await run(`${writing.join(" ")} wait; sync`);
    const written = (await run("sha256sum </file")).slice(0, 64);
    await run("rm /file; echo 3 >/proc/sys/vm/drop_caches");
    for (const [disk, name] of disks) {
      expect(disk.sha256(WRITTEN)).toBe(written);
      expect(disk.mostInFlight).toBeGreaterThan(1);
      expect((await run(`head -c ${WRITTEN} /dev/${name} | sha256sum`)).slice(0, 64)).toBe(written);
    }
    expect(packed.device.negotiated.has(CommonFeature.RING_PACKED)).toBe(true);
    expect(problems).toEqual([]);
  });

  it("puts the queue of version 1 where QueuePFN says, in one piece", () => {
    const { device } = transport(4);
    expect(device.negotiated.has(CommonFeature.VERSION_1)).toBe(false);
    const page = transport(4).read(MmioRegister.queuePfn, 4);
    expect(page).toBeGreaterThan(0);
    const { descriptor, size = 0, driver, device: used = 0 } = device.queue(0)?.addresses ?? {};
    expect(descriptor).toBe(page * 4096);
    expect(driver).toBe(page * 4096 + 16 * size);
    expect(used % 4096).toBe(0);
  });

  it("keeps a file system", async () => {
    const name = names.get(modern);
    await run(`mke2fs /dev/${name} >/dev/null && mount -t ext2 /dev/${name} /mnt`);
    await run("for n in $(seq 50); do echo file $n of 50 >/mnt/$n; done; head -c 1000000 /dev/urandom >/mnt/big");
    const before = await run("cat /mnt/* 2>/dev/null | sha256sum");
    await run(`umount /mnt && echo 3 >/proc/sys/vm/drop_caches && mount -t ext2 /dev/${name} /mnt`);
    expect(await run("cat /mnt/* 2>/dev/null | sha256sum")).toBe(before);
    await run("umount /mnt");
    expect(Buffer.from(modern.bytes).includes("file 37 of 50")).toBe(true);
    expect(problems).toEqual([]);
  });

  it("reads a size anew that changes between its halves", async () => {
    const name = names.get(modern);
    const size = (sectors: bigint): string => `[ "$(cat /sys/block/${name}/size)" = ${sectors} ]`;
    const registers = transport(0);
    const read = registers.read.bind(registers);
    const reads: number[] = [];
    const last = 0x1_0000_0010n;
    registers.read = (offset, width) => {
      const value = read(offset, width);
      reads.push(offset);
      // The guest has this half, and does not have the other one yet.
      const isFirst = reads.filter((at) => at === MmioRegister.config).length === 1;
      if (offset === MmioRegister.config && isFirst) modern.device.config.capacity = last;
      return value;
    };
    modern.device.config.capacity = 0xffff_8000n;
    await guest.until(size(last), PATIENCE);
    registers.read = read;
    const { configGeneration: generation, config: low } = MmioRegister;
    const high = low + 4;
    const ofConfig = reads.filter((offset) => offset >= generation);
    expect(ofConfig.slice(0, 7)).toEqual([generation, low, high, generation, low, high, generation]);
    const told = await run(`dmesg | grep '${name}. new size'`);
    expect(told).not.toContain(String(0x1_ffff_8000n));
    expect(told).toContain(String(last));
    // Of version 1, which has no generation.
    legacy.device.config.capacity = BigInt(MIB / 512);
    await guest.until(`[ "$(cat /sys/block/${names.get(legacy)}/size)" = ${MIB / 512} ]`, PATIENCE);
    for (const disk of [modern, legacy]) {
      disk.device.config.capacity = BigInt(SIZE / 512);
      await guest.until(`[ "$(cat /sys/block/${names.get(disk)}/size)" = ${SIZE / 512} ]`, PATIENCE);
    }
    expect(problems).toEqual([]);
  });

  it("has a terminal on the console, both ways", async () => {
    await run("stty -F /dev/hvc0 -echo; echo 'hello from Linux' >/dev/hvc0");
    await until(() => typed.includes("hello from Linux\r\n"), PATIENCE);
    const reading = run("head -n 1 /dev/hvc0");
    terminal.receiveq.send({ data: Buffer.from("hello from TypeScript\n") });
    expect(await reading).toBe("hello from TypeScript");
  });

  it("lets go of the random source while a request is in flight, and draws from it again", async () => {
    const draw = "dd if=/dev/hwrng bs=64 count=4 iflag=fullblock 2>/dev/null";
    const twice = Buffer.concat([random, random]);
    const check = async (): Promise<void> => {
      const { bytes } = await guest.attempt(draw, PATIENCE);
      expect(bytes.length).toBe(256);
      for (let at = 0; at < bytes.length; at += 64) expect(twice.indexOf(bytes.subarray(at, at + 64))).not.toBe(-1);
    };
    await check();
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    await run("dd if=/dev/hwrng of=/dev/null bs=4096 count=4 2>/dev/null >/dev/null &");
    await until(() => waiting > 0, PATIENCE);
    await run("echo LNRO0005:01 >/sys/bus/platform/drivers/virtio-mmio/unbind");
    expect(entropy.status).toBe(DeviceStatus.ACKNOWLEDGE);
    held = undefined;
    await run("echo LNRO0005:01 >/sys/bus/platform/drivers/virtio-mmio/bind");
    expect(entropy.status).toBe(RUNNING | DeviceStatus.FEATURES_OK);
    await check();
    // The handler of before finds that its request is gone.
    release();
    await check();
    expect(problems).toEqual([]);
  });

  it("unbinds the disks' drivers under load and binds them again", async () => {
    const rings: [LateDisk, number, string][] = [
      [modern, 0, "virtio_blk"],
      [packed, 3, "virtio-mmio"],
      [legacy, 4, "virtio-mmio"],
    ];
    for (const [disk, index, driver] of rings) {
      const name = names.get(disk);
      const before = disk.begun;
      await run(`(while dd if=/dev/${name} of=/dev/null bs=16k iflag=direct; do :; done) >/dev/null 2>&1 &`);
      await until(() => disk.begun > before + 50, PATIENCE);
      const isPlatform = driver === "virtio-mmio";
      const bus = isPlatform ? "platform" : "virtio";
      const device = isPlatform ? `LNRO0005:0${index}` : await run(`cd ${platformDevice(index)}; echo virtio*`);
      await run(`echo ${device} >/sys/bus/${bus}/drivers/${driver}/unbind`);
      expect((await guest.attempt(`ls /sys/block/${name}`, PATIENCE)).status).not.toBe(0);
      expect(disk.device.status & DeviceStatus.DRIVER_OK).toBe(0);
      await run(`echo ${device} >/sys/bus/${bus}/drivers/${driver}/bind`);
      const now = await run(`ls ${platformDevice(index)}/virtio*/block`);
      expect((await run(`head -c ${WRITTEN} /dev/${now} | sha256sum`)).slice(0, 64)).toBe(disk.sha256(WRITTEN));
    }
    expect(problems).toEqual([]);
  });

  it("has nothing to complain about", async () => {
    expect(await run("dmesg | grep -iE 'warning|call trace|bug:|nobody cared|error' || true")).toBe("");
    expect(problems).toEqual([]);
  });
});
