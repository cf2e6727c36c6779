import { describe, expect, it } from "vitest";
import { PACKED, plain } from "./scripted-front-end.js";
import { ACCESS_PLATFORM, ioStart, ScriptedIommu } from "./scripted-iommu.js";
import { requireVhostUser } from "./served-device.js";
import { serveDisk } from "./served-disk.js";

const plainPacked = plain | PACKED | ACCESS_PLATFORM;

describe.runIf(await requireVhostUser())("addresses that are translated", () => {
  it.each([
    { name: "a split ring", packed: false },
    { name: "a packed ring", packed: true },
  ])("$name starts when its memory is known, and serves what is known", async ({ packed }) => {
    const { path, errors, disk } = await serveDisk(undefined, {}, ["ACCESS_PLATFORM"]);
    const iommu = await ScriptedIommu.connect(path, packed ? plainPacked : undefined);
    const ring = await iommu.front.startRing(0, { features: { packed } });
    // What it needs of the ring itself, which is in one page.
    const { descriptor, driver, device } = ring.addresses;
    expect(await iommu.missed()).toEqual([descriptor, packed ? driver : device]);
    expect(await iommu.updatePage(ioStart)).toBe(true);
    ring.submit(7);
    await iommu.serve(() => ring.poll().some(({ first, status }) => first === 7 && status === 0), "a read");
    // Nothing is asked for twice.
    const first = ring.submit(8, 99);
    const asked = await iommu.serve(() => ring.poll().some(({ token, status }) => token === first && status === 0));
    expect(asked).toBe(0);
    expect(disk[8 * 512]).toBe(99);
    expect(await iommu.invalidate(ioStart, 1 << 20)).toBe(true);
    ring.submit(9);
    const again = await iommu.serve(() => ring.poll().some(({ first: byte }) => byte === 9));
    expect(again).toBeGreaterThan(0);
    expect(await ring.stop()).toBeGreaterThan(0);
    expect(errors).toEqual([]);
  });
});
