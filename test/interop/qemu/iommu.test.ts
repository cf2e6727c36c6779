import { describe, expect, it } from "vitest";
import { BlkDriver } from "../../../generated/blk.js";
import { IommuDriver, IommuMapFlags, type IommuFault } from "../../../generated/iommu.js";
import { onPc, requireQemu, withImage } from "./machine.js";
import { until } from "./until.js";

const DISK_SLOT = 5;
/** Endpoints are PCI functions. */
const ENDPOINT = DISK_SLOT << 3;
const SECTOR = 512;
const READ_WRITE = IommuMapFlags.READ | IommuMapFlags.WRITE;

describe.runIf(await requireQemu())("QEMU's virtio-iommu", () => {
  it(
    "translates for a disk: nothing goes through before it is mapped, nor after it is unmapped",
    { timeout: 900_000 },
    async () => {
      const image = Uint8Array.from({ length: 64 * SECTOR }, (_, index) => (index * 11 + (index >>> 8)) & 255);
      await withImage(image, async (file) => {
        const devices = [
        "-device", "virtio-iommu-pci,addr=4",
        "-drive", `file=${file.path},if=none,id=disk,format=raw`,
        "-device", `virtio-blk-pci,drive=disk,addr=${String(DISK_SLOT)},iommu_platform=on,disable-legacy=on`,
      ]; // prettier-ignore
        await onPc(devices, async (machine) => {
          const faults: IommuFault[] = [];
          const iommu = await IommuDriver.start(await machine.open(23), {
            features: ["INPUT_RANGE", "DOMAIN_RANGE", "MAP_UNMAP", "PROBE", "BYPASS_CONFIG"],
            eventq: (fault) => void faults.push(fault),
          });
          expect(iommu.dropped).toEqual([]);
          expect(iommu.config.pageSizeMask & 4096n).toBe(4096n);
          expect(iommu.config.inputRange).toEqual({ start: 0n, end: 2n ** 64n - 1n });
          const { requestq } = iommu;

          const probed = await requestq.submit({ type: "PROBE", endpoint: ENDPOINT });
          expect(probed.status).toBe("OK");
          // The doorbell of message signaled interrupts on a PC.
          expect(probed.properties.map(({ value }) => value)).toEqual([
            { kind: "RESV_MEM", subtype: "MSI", start: 0xfee0_0000n, end: 0xfeef_ffffn },
            // The property that ends the list.
            { kind: "default", value: new Uint8Array(0) },
          ]);
          expect((await requestq.submit({ type: "PROBE", endpoint: 0x1234 })).status).toBe("NOENT");

          const domain = 3;
          expect(await requestq.submit({ type: "ATTACH", domain, endpoint: ENDPOINT, flags: 0 })).toEqual({
            status: "OK",
          });
          const end = BigInt(machine.qemu.memorySize) - 1n;
          const map = { type: "MAP", domain, virtStart: 0n, virtEnd: end, physStart: 0n, flags: READ_WRITE } as const;
          expect(await requestq.submit(map)).toEqual({ status: "OK" });
          expect(await requestq.submit(map)).toEqual({ status: "INVAL" });
          expect(await requestq.submit({ ...map, domain: 77 })).toEqual({ status: "NOENT" });

          const disk = await BlkDriver.start(await machine.open(2), { features: ["ACCESS_PLATFORM"] });
          expect(disk.dropped).toEqual([]);
          const { data, status } = await disk.requestq.submit({ type: "IN", sector: 3n, data: 2 * SECTOR });
          expect(status).toBe("OK");
          expect(Buffer.from(data).equals(image.subarray(3 * SECTOR, 5 * SECTOR))).toBe(true);
          expect(faults).toEqual([]);

          // A part of a mapping cannot be unmapped.
          expect(await requestq.submit({ type: "UNMAP", domain, virtStart: 4096n, virtEnd: end })).toEqual({
            status: "RANGE",
          });
          expect(await requestq.submit({ type: "UNMAP", domain, virtStart: 0n, virtEnd: end })).toEqual({
            status: "OK",
          });
          disk.requestq.submit({ type: "IN", sector: 0n, data: SECTOR }).catch(() => undefined);
          await until(() => faults.length > 0);
          expect(faults[0]).toMatchObject({ reason: "MAPPING", endpoint: ENDPOINT });
          await disk.stop();
          expect(await requestq.submit({ type: "DETACH", domain, endpoint: ENDPOINT })).toEqual({ status: "OK" });
          await iommu.stop();
        });
      });
    },
  );
});
