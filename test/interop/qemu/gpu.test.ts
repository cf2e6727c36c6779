import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GpuDriver } from "../../../generated/gpu.js";
import { onPc, requireQemu, withFolder } from "./machine.js";

const WIDTH = 320;
const HEIGHT = 200;
const PIXEL = 4;

/** Red, green and blue of the pixel at this place: something that no mixed-up row or channel could look like. */
const colour = (x: number, y: number): readonly [number, number, number] => [x & 255, y, (x * 3 + y * 5) & 255];

/** The pixels of a PPM: width, height, and three bytes each. */
function parsePpm(file: Buffer): { width: number; height: number; pixels: Buffer } {
  const header = /^P6\n(\d+) (\d+)\n255\n/.exec(file.subarray(0, 64).toString("latin1"));
  if (header === null) throw new Error("this is no PPM");
  return { width: Number(header[1]), height: Number(header[2]), pixels: file.subarray(header[0].length) };
}

describe.runIf(await requireQemu())("QEMU's virtio-gpu", () => {
  it("shows what was drawn in guest memory", { timeout: 900_000 }, async () => {
    await withFolder(async (folder) => {
      const devices = ["-device", `virtio-gpu-pci,id=gpu,xres=${String(WIDTH)},yres=${String(HEIGHT)}`];
      await onPc(devices, async (machine) => {
        const driver = await GpuDriver.start(await machine.open(16), { features: ["EDID"] });
        expect(driver.config).toMatchObject({ numScanouts: 1, numCapsets: 0 });
        const { controlq } = driver;

        const displays = await controlq.submit({ type: "CMD_GET_DISPLAY_INFO" });
        if (displays.type !== "RESP_OK_DISPLAY_INFO") throw new Error(`it answered ${String(displays.type)}`);
        expect(displays.pmodes[0]).toMatchObject({ r: { x: 0, y: 0, width: WIDTH, height: HEIGHT }, enabled: 1 });
        expect(displays.pmodes[1]).toMatchObject({ enabled: 0 });
        const edid = await controlq.submit({ type: "CMD_GET_EDID", scanout: 0 });
        if (edid.type !== "RESP_OK_EDID") throw new Error(`it answered ${String(edid.type)}`);
        expect([...edid.edid.subarray(0, 8)]).toEqual([0, 255, 255, 255, 255, 255, 255, 0]);

        // Two pieces of memory, neither of which ends with a row.
        const sizes = [100_002 - 2, WIDTH * HEIGHT * PIXEL - 100_000];
        const entries = sizes.map((length) => ({ addr: BigInt(machine.allocator.allocate(length, 4096)), length }));
        const picture = new Uint8Array(WIDTH * HEIGHT * PIXEL);
        for (let y = 0; y < HEIGHT; y++) {
          for (let x = 0; x < WIDTH; x++) {
            const [red, green, blue] = colour(x, y);
            picture.set([blue, green, red, 0], (y * WIDTH + x) * PIXEL);
          }
        }
        let at = 0;
        for (const { addr, length } of entries) {
          const region = machine.memory.locate(Number(addr), length);
          region?.bytes.set(picture.subarray(at, at + length), Number(addr) - region.start);
          at += length;
        }

        const r = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
        const done = { type: "RESP_OK_NODATA" };
        const resource = { resourceId: 7, width: WIDTH, height: HEIGHT, format: "B8G8R8X8_UNORM" } as const;
        expect(await controlq.submit({ type: "CMD_RESOURCE_CREATE_2D", ...resource })).toMatchObject(done);
        expect(await controlq.submit({ type: "CMD_RESOURCE_CREATE_2D", ...resource })).toMatchObject({
          type: "RESP_ERR_INVALID_RESOURCE_ID",
        });
        expect(await controlq.submit({ type: "CMD_RESOURCE_ATTACH_BACKING", resourceId: 7, entries })).toMatchObject(
          done,
        );
        expect(await controlq.submit({ type: "CMD_SET_SCANOUT", r, scanoutId: 0, resourceId: 7 })).toMatchObject(done);
        expect(await controlq.submit({ type: "CMD_TRANSFER_TO_HOST_2D", r, offset: 0n, resourceId: 7 })).toMatchObject(
          done,
        );
        const flushed = await controlq.submit({ type: "CMD_RESOURCE_FLUSH", r, resourceId: 7, flags: 1, fenceId: 99n });
        expect(flushed).toMatchObject({ ...done, flags: 1, fenceId: 99n });

        const filename = join(folder, "screen.ppm");
        await machine.qemu.qmp.execute("screendump", { filename, device: "gpu", head: 0 });
        const screen = parsePpm(await readFile(filename));
        expect([screen.width, screen.height]).toEqual([WIDTH, HEIGHT]);
        const drawn = new Uint8Array(WIDTH * HEIGHT * 3);
        for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) drawn.set(colour(x, y), (y * WIDTH + x) * 3);
        expect(screen.pixels.equals(drawn)).toBe(true);

        // What is changed in memory is not seen before it is transferred, and then only the part that is.
        const [first] = entries;
        if (first === undefined) throw new Error("there is no memory");
        const region = machine.memory.locate(Number(first.addr), first.length);
        region?.bytes.fill(255, Number(first.addr) - region.start, Number(first.addr) - region.start + first.length);
        const part = { x: 10, y: 20, width: 30, height: 4 };
        const offset = BigInt((20 * WIDTH + 10) * PIXEL);
        await controlq.submit({ type: "CMD_TRANSFER_TO_HOST_2D", r: part, offset, resourceId: 7 });
        await controlq.submit({ type: "CMD_RESOURCE_FLUSH", r: part, resourceId: 7 });
        await machine.qemu.qmp.execute("screendump", { filename, device: "gpu", head: 0 });
        const again = parsePpm(await readFile(filename)).pixels;
        for (let y = 20; y < 24; y++) drawn.fill(255, (y * WIDTH + 10) * 3, (y * WIDTH + 40) * 3);
        expect(again.equals(drawn)).toBe(true);

        const off = await controlq.submit({ type: "CMD_SET_SCANOUT", r, scanoutId: 0, resourceId: 0 });
        expect(off).toMatchObject(done);
        expect(await controlq.submit({ type: "CMD_RESOURCE_DETACH_BACKING", resourceId: 7 })).toMatchObject(done);
        expect(await controlq.submit({ type: "CMD_RESOURCE_UNREF", resourceId: 7 })).toMatchObject(done);
        expect(await controlq.submit({ type: "CMD_RESOURCE_UNREF", resourceId: 7 })).toMatchObject({
          type: "RESP_ERR_INVALID_RESOURCE_ID",
        });
        await driver.stop();
      });
    });
  });
});
