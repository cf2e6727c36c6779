import { putNumber } from "../registers/register-file.js";
import type { CapabilityBody } from "./config-space.js";
import { PciCapability, StructureType } from "./pci-layout.js";

/** `struct virtio_pci_cap` without its first two bytes (VIRTIO 1.4, 4.1.4), with what follows it. */
export function structureCapability(
  type: number,
  bar: number,
  offset: number,
  length: number,
  more: { readonly id?: number; readonly extra?: readonly number[] } = {},
): CapabilityBody {
  const extra = more.extra ?? [];
  const bytes = new Uint8Array(14 + 4 * extra.length);
  bytes[0] = bytes.length + 2;
  bytes[1] = type;
  bytes[2] = bar;
  bytes[3] = more.id ?? 0;
  putNumber(bytes, 6, 4, offset % 2 ** 32);
  putNumber(bytes, 10, 4, length % 2 ** 32);
  for (const [index, word] of extra.entries()) putNumber(bytes, 14 + 4 * index, 4, word);
  return { id: PciCapability.vendor, bytes };
}

/** Access to the BARs through the configuration space (4.1.4.9): BAR, offset, length and data can be written. */
export function accessCapability(): CapabilityBody {
  const { id, bytes } = structureCapability(StructureType.pciAccess, 0, 0, 0, { extra: [0] });
  const writable = new Uint8Array(bytes.length);
  writable[2] = 0xff;
  writable.fill(0xff, 6, 18);
  return { id, bytes, writable };
}

/** A region of shared memory (4.1.4.7). */
export function sharedMemoryCapability(id: number, bar: number, offset: number, length: number): CapabilityBody {
  const extra = [Math.floor(offset / 2 ** 32), Math.floor(length / 2 ** 32)];
  return structureCapability(StructureType.sharedMemory, bar, offset, length, { id, extra });
}

/**
 * Vendor-specific data (4.1.4.8), filled up to a multiple of 4 bytes.
 * @throws RangeError for virtio's own vendor number, which the specification rules out
 */
export function vendorCapability(vendor: number, data: Uint8Array): CapabilityBody {
  if (vendor === 0x1af4) throw new RangeError("vendor data is not of vendor 0x1af4");
  const bytes = new Uint8Array(Math.ceil((6 + data.length) / 4) * 4 - 2);
  bytes[0] = bytes.length + 2;
  bytes[1] = StructureType.vendor;
  putNumber(bytes, 2, 2, vendor);
  bytes.set(data, 4);
  return { id: PciCapability.vendor, bytes };
}

/** MSI-X: only the two upper bits of message control can be written. */
export function msixCapability(vectors: number, bar: number, pendingOffset: number): CapabilityBody {
  const bytes = new Uint8Array(10);
  putNumber(bytes, 0, 2, vectors - 1);
  putNumber(bytes, 2, 4, bar);
  putNumber(bytes, 6, 4, pendingOffset + bar);
  const writable = new Uint8Array(10);
  writable[1] = 0xc0;
  return { id: PciCapability.msix, bytes, writable };
}
