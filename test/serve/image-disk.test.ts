import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BlkDriver, BlkFeature } from "../../generated/blk.js";
import { loopback } from "../../src/runtime/transport/loopback/index.js";
import { type ImageDiskOptions, openImageDisk } from "../../src/serve/image-disk.js";
import { until } from "../generated/turns.js";
import { temporaryFolder } from "./folder.js";

const SECTORS = 64;

async function start(options: Partial<ImageDiskOptions> = {}) {
  const path = join(temporaryFolder(), "disk.img");
  writeFileSync(
    path,
    Uint8Array.from({ length: SECTORS * 512 }, (_, index) => (index >> 9) + 1),
  );
  const disk = openImageDisk({ path, ...options });
  const changes: bigint[] = [];
  const driver = await BlkDriver.start(loopback(disk.device), {
    features: [
      ...(options.readOnly === true ? (["RO"] as const) : (["DISCARD", "WRITE_ZEROES"] as const)),
      "FLUSH",
      "BLK_SIZE",
    ],
    cut: { readable: 700, writable: 700 },
  });
  driver.onConfigChange = () => void changes.push(driver.config.capacity);
  onTestFinished(async () => {
    await driver.stop();
    await disk.close();
  });
  return {
    path,
    disk,
    driver,
    changes,
    at: (sector: number) => readFileSync(path).subarray(sector * 512, sector * 512 + 512),
  };
}

test("what is written is in the file, and reads as it is there", async () => {
  const { driver, at, disk } = await start();
  const data = Uint8Array.from({ length: 1536 }, (_, index) => index * 7);
  expect(await driver.requestq.submit({ type: "OUT", sector: 3n, data })).toEqual({ status: "OK" });
  expect(Buffer.concat([at(3), at(4), at(5)])).toEqual(Buffer.from(data));
  expect(at(2)).toEqual(Buffer.alloc(512, 3));
  const reply = await driver.requestq.submit({ type: "IN", sector: 2n, data: 2048 });
  expect(reply.status).toBe("OK");
  expect(reply.data).toEqual(Uint8Array.from([...Buffer.alloc(512, 3), ...data]));
  expect(await driver.requestq.submit({ type: "FLUSH", sector: 0n })).toEqual({ status: "OK" });
  expect(disk.served).toBe(3);
});

test("nothing past the end, and whole sectors only", async () => {
  const { driver, path } = await start();
  const before = readFileSync(path);
  const past = { type: "OUT", sector: BigInt(SECTORS), data: new Uint8Array(512) } as const;
  expect(await driver.requestq.submit(past)).toEqual({ status: "IOERR" });
  expect(await driver.requestq.submit({ ...past, sector: 2n ** 60n })).toEqual({ status: "IOERR" });
  expect(await driver.requestq.submit({ ...past, sector: 0n, data: new Uint8Array(100) })).toEqual({ status: "IOERR" });
  expect((await driver.requestq.submit({ type: "IN", sector: 63n, data: 1024 })).status).toBe("IOERR");
  expect(readFileSync(path)).toEqual(before);
});

test("ranges read as zero after write-zeroes and discard", async () => {
  const { driver, at } = await start();
  const range = { sector: 8n, numSectors: 4, flags: { unmap: false } };
  expect(await driver.requestq.submit({ type: "WRITE_ZEROES", sector: 0n, segments: [range] })).toEqual({
    status: "OK",
  });
  expect(await driver.requestq.submit({ type: "DISCARD", sector: 0n, segments: [{ ...range, sector: 20n }] })).toEqual({
    status: "OK",
  });
  expect([at(7)[0], at(8)[0], at(11)[511], at(12)[0], at(20)[0], at(24)[0]]).toEqual([8, 0, 0, 13, 0, 25]);
  const beyond = { ...range, sector: 62n };
  expect(await driver.requestq.submit({ type: "WRITE_ZEROES", sector: 0n, segments: [range, beyond] })).toEqual({
    status: "IOERR",
  });
});

test("a read-only disk is offered as one, and writes nothing", async () => {
  const { driver, path } = await start({ readOnly: true });
  const before = readFileSync(path);
  expect(driver.negotiated.has(BlkFeature.RO)).toBe(true);
  expect(await driver.requestq.submit({ type: "OUT", sector: 0n, data: new Uint8Array(512) })).toEqual({
    status: "IOERR",
  });
  expect(readFileSync(path)).toEqual(before);
});

test("the driver learns of a new size; a file that became shorter gives errors, not rubbish", async () => {
  const { driver, disk, path, changes } = await start();
  truncateSync(path, 128 * 512);
  expect(disk.resize()).toBe(128);
  await until(() => changes.length === 1);
  expect(changes).toEqual([128n]);
  expect(await driver.requestq.submit({ type: "IN", sector: 127n, data: 512 })).toEqual({
    status: "OK",
    data: new Uint8Array(512),
  });
  truncateSync(path, 512);
  expect((await driver.requestq.submit({ type: "IN", sector: 9n, data: 512 })).status).toBe("IOERR");
});

test("files that are no disks", () => {
  const folder = temporaryFolder();
  expect(() => openImageDisk({ path: join(folder, "none.img") })).toThrow("none.img: there is no such file");
  expect(() => openImageDisk({ path: folder })).toThrow("it is a directory");
  writeFileSync(join(folder, "tiny"), "x");
  expect(() => openImageDisk({ path: join(folder, "tiny") })).toThrow("it does not hold a single sector");
});
