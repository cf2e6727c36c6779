import { expect } from "vitest";
import { MemoryAllocator } from "../../../../src/runtime/index.js";
import { guestStart, memoryBytes, plain, type ScriptedRing, type ScriptedRingOptions } from "./scripted-front-end.js";
import { ACCESS_PLATFORM, ioStart, PAGE, ScriptedIommu } from "./scripted-iommu.js";
import { MQ, serveDisk, type BlkRequest, type ServedDisk } from "./served-disk.js";

/** Buffers are on pages of their own, behind those of the rings. */
export const buffers = ioStart + 16 * PAGE;

export interface Rig extends ServedDisk {
  readonly iommu: ScriptedIommu;
  readonly ring: ScriptedRing;
  readonly other: ScriptedRing;
}

/** A disk behind an IOMMU, and two rings that run. */
export async function rig(
  handle?: (request: BlkRequest, disk: Uint8Array) => void | Promise<void>,
  options: ScriptedRingOptions = {},
): Promise<Rig> {
  const served = await serveDisk(handle, {}, ["ACCESS_PLATFORM"]);
  const iommu = await ScriptedIommu.connect(served.path, plain | ACCESS_PLATFORM | MQ);
  const ring = await iommu.front.startRing(0, options);
  const other = await iommu.front.startRing(1);
  await iommu.missed();
  expect(await iommu.update(ioStart, 16 * PAGE, guestStart)).toBe(true);
  iommu.front.allocator = new MemoryAllocator(iommu.front.memory, buffers, memoryBytes - 16 * PAGE);
  return { ...served, iommu, ring, other };
}
