import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { BLK_DEVICE_ID, BlkDriver } from "../../../../generated/blk.js";
import { INPUT_DEVICE_ID, InputDriver, type InputEvent } from "../../../../generated/input.js";
import { connect, serve, type VhostUserDriverTransport } from "../../../../src/runtime/transport/vhost-user/index.js";
import type { VirtioDevice } from "../../../../src/runtime/index.js";
import { loadKoffi } from "../../../../src/runtime/transport/posix/koffi.js";
import { openKeyboard } from "../../../../src/serve/keyboard.js";
import { openFiles } from "../../fixtures/process-state.js";
import { useAtRandom } from "../../fixtures/random-requests.js";
import { RamDisk } from "../../../interop/linux/ram-disk.js";
import { until } from "../../../interop/qemu/until.js";

const SECTOR = 512;
const SIZE = 1 << 20;
const onLinux = process.platform === "linux" && (await loadKoffi()) !== undefined;

/** Generated drivers on our front end, generated devices on our back end, a socket and shared memory in between. */
describe.runIf(onLinux)("both ends of vhost-user", () => {
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-both-ends-"));
  let number = 0;
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function between<T>(
    device: VirtioDevice,
    deviceId: number,
    work: (transport: VhostUserDriverTransport) => Promise<T>,
  ): Promise<T> {
    const socket = join(folder, String(number++));
    const errors: (Error | undefined)[] = [];
    const onError = (error: Error | undefined): void => void errors.push(error);
    const server = await serve(device, {
      socket,
      onError,
      onDisconnect: (error) => error !== undefined && onError(error),
    });
    const transport = await connect(socket, { deviceId, memorySize: 16 << 20 });
    try {
      return await work(transport);
    } finally {
      transport.close();
      await server.close();
      expect(errors).toEqual([]);
    }
  }

  it.each([
    { rings: "plain split", features: [], withhold: ["INDIRECT_DESC", "EVENT_IDX"] },
    { rings: "split", features: [], withhold: [] },
    { rings: "packed", features: ["RING_PACKED"], withhold: [] },
  ] as const)("reads and writes at random, over $rings rings", async ({ features, withhold }) => {
    const disk = new RamDisk(SIZE, SIZE, 2);
    randomBytes(SIZE).copy(disk.bytes);
    const model = Buffer.from(disk.bytes);
    await between(disk.device, BLK_DEVICE_ID, async (transport) => {
      const driver = await BlkDriver.start(transport, { features: ["MQ", "FLUSH", ...features], withhold });
      expect(driver.requestqs).toHaveLength(2);
      await useAtRandom(driver, model, 100);
      expect(disk.bytes.equals(model)).toBe(true);
      expect(disk.perQueue.every((count) => count > 0)).toBe(true);
      await driver.stop();
    });
  });

  it("tells the driver of a change of the configuration", async () => {
    const disk = new RamDisk(SIZE, 2 * SIZE, 1);
    await between(disk.device, BLK_DEVICE_ID, async (transport) => {
      const driver = await BlkDriver.start(transport);
      const sizes: (bigint | undefined)[] = [driver.config.capacity];
      driver.onConfigChange = ({ capacity }) => sizes.push(capacity);
      disk.resize(2 * SIZE);
      await until(() => sizes.length === 2);
      expect(sizes).toEqual([BigInt(SIZE / SECTOR), BigInt((2 * SIZE) / SECTOR)]);
      await driver.stop();
    });
  });

  it("has a window into the configuration, and events both ways", async () => {
    const feedback: InputEvent[] = [];
    const keyboard = openKeyboard({ name: "over vhost-user", feedback: (event) => void feedback.push(event) });
    await between(keyboard.device, INPUT_DEVICE_ID, async (transport) => {
      const seen: InputEvent[] = [];
      const driver = await InputDriver.start(transport, { eventq: (event) => void seen.push(event) });
      const { u } = await driver.queryConfig({ select: "ID_NAME", subsel: 0 });
      expect(u).toEqual({ kind: "ID_NAME", string: "over vhost-user" });
      keyboard.send(1, 30, 1);
      keyboard.sync();
      await until(() => seen.length === 2);
      expect(seen).toEqual([
        { type: 1, code: 30, value: 1 },
        { type: 0, code: 0, value: 0 },
      ]);
      await driver.statusq.send({ type: 17, code: 1, value: 1 });
      await until(() => feedback.length === 1);
      expect(feedback).toEqual([{ type: 17, code: 1, value: 1 }]);
      await driver.stop();
    });
  });

  it("starts again after a reset, and serves one front end after the other; nothing is left behind", async () => {
    const disk = new RamDisk(SIZE, SIZE, 1);
    disk.bytes.fill(7);
    const socket = join(folder, "again");
    const server = await serve(disk.device, { socket });
    const round = async (): Promise<void> => {
      const transport = await connect(socket, { deviceId: BLK_DEVICE_ID, memorySize: 4 << 20 });
      for (let start = 0; start < 2; start++) {
        const driver = await BlkDriver.start(transport);
        const { data } = await driver.requestq.submit({ type: "IN", sector: 3n, data: 1024 });
        expect(data.every((byte) => byte === 7)).toBe(true);
        await driver.stop();
      }
      transport.close();
      await until(() => !server.connected);
    };
    const shared = (): number => readFileSync("/proc/self/maps", "utf8").split("memfd:").length;
    for (let count = 0; count < 3; count++) await round();
    const [files, mappings] = [openFiles(), shared()];
    for (let count = 0; count < 30; count++) await round();
    await until(() => openFiles() <= files && shared() <= mappings);
    await server.close();
  });

  it("is over for the driver when the device is not served any more", async () => {
    const disk = new RamDisk(SIZE, SIZE, 1);
    const socket = join(folder, "over");
    const server = await serve(disk.device, { socket });
    const transport = await connect(socket, { deviceId: BLK_DEVICE_ID, memorySize: 4 << 20 });
    const errors: string[] = [];
    const driver = await BlkDriver.start(transport, { onError: (error) => void errors.push(error.message) });
    await server.close();
    await until(() => !transport.connected);
    await expect(driver.requestq.submit({ type: "IN", sector: 0n, data: 512 })).rejects.toThrow();
    expect(errors).toEqual([expect.stringContaining("device-needs-reset")]);
    transport.close();
  });
});
