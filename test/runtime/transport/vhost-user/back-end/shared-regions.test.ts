import { afterAll, describe, expect, it } from "vitest";
import {
  createMemoryFile,
  loadSystemCalls,
  type SystemCalls,
} from "../../../../../src/runtime/transport/posix/index.js";
import { loadKoffi } from "../../../../../src/runtime/transport/posix/koffi.js";
import { SharedRegions } from "../../../../../src/runtime/transport/vhost-user/back-end/shared-regions.js";

const region = { guestAddress: 0x1000, size: 0x2000, userAddress: 0x7000, fileOffset: 0 };
const onLinux = process.platform === "linux" && (await loadKoffi()) !== undefined;

describe.runIf(onLinux)("regions that are added several times", async () => {
  const system: SystemCalls = await loadSystemCalls();
  const [file, other] = [createMemoryFile(system, "one", 0x4000), createMemoryFile(system, "two", 0x4000)];
  afterAll(() => {
    system.close(file);
    system.close(other);
  });

  it("are there once, and until they were removed as often", () => {
    const regions = new SharedRegions(system);
    regions.add(region, file);
    const { memory } = regions;
    regions.add(region, file);
    expect(regions.count).toBe(1);
    regions.remove(region);
    expect(regions.count).toBe(1);
    expect(memory.regions.map(({ start }) => start)).toEqual([0x1000]);
    regions.remove(region);
    expect(regions.count).toBe(0);
    expect(memory.regions).toEqual([]);
    expect(() => regions.remove(region)).toThrow("region-unknown");
    regions.release();
  });

  it("are still refused when anything about them differs", () => {
    const regions = new SharedRegions(system);
    regions.add(region, file);
    expect(() => regions.add(region, other)).toThrow("region-overlap");
    expect(() => regions.add({ ...region, fileOffset: 0x1000 }, file)).toThrow("region-overlap");
    expect(() => regions.add({ ...region, size: 0x1000 }, file)).toThrow("region-overlap");
    regions.add(region, file);
    // A table says how it is from now on, however often something was added before.
    regions.setTable([region], [file]);
    regions.remove(region);
    expect(regions.count).toBe(0);
    regions.release();
  });
});
