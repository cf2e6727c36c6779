import { Clause, ProtocolError } from "../../negotiation/errors.js";
import type { AddressSpace } from "../bus/address-space.js";
import { COMMON_CONFIG_LEAST, PciCapability, PciRegister, PciStatus, StructureType } from "./pci-layout.js";

/** Where a virtio structure lies: a part of a BAR. */
export interface StructurePlace {
  readonly bar: number;
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
}

/** The MSI-X capability of a function. */
export interface MsixPlace {
  /** Offset of the capability in the configuration space. */
  readonly capability: number;
  /** Number of vectors. */
  readonly vectors: number;
  readonly table: { readonly bar: number; readonly offset: number };
}

/** What the capability list says about a virtio function (VIRTIO 1.4, 4.1.4). */
export interface VirtioStructures {
  readonly common: StructurePlace;
  readonly notify: StructurePlace & { readonly multiplier: number };
  readonly isr: StructurePlace;
  /** Absent where the device has no configuration. */
  readonly device: StructurePlace | undefined;
  /** By region id. */
  readonly sharedMemory: ReadonlyMap<number, StructurePlace>;
  /** Vendor-specific data: vendor, offset of the capability in the configuration space, and length. */
  readonly vendorData: readonly { readonly vendor: number; readonly capability: number; readonly length: number }[];
  /** Offset of the capability for access through the configuration space, if there is one. */
  readonly pciAccess: number | undefined;
  readonly msix: MsixPlace | undefined;
}

const FIRST_CAPABILITY = 0x40;
const CONFIG_LENGTH = 0x100;
/** No list without a loop has more: each capability takes at least 4 bytes. */
const MOST_CAPABILITIES = (CONFIG_LENGTH - FIRST_CAPABILITY) / 4;

interface FoundStructure extends StructurePlace {
  readonly type: number;
  readonly id: number;
  readonly capability: number;
  readonly capabilityLength: number;
}

/**
 * Walks the capability list of the function whose configuration space starts at `base`. The device may be hostile: the
 * list is cut where it loops or leaves the configuration space, and what is reserved or too short is passed over.
 * @param reaches whether the BARs of the function hold the first `length` bytes of a structure
 * @throws ProtocolError `transport-layout` when one of the structures that every device has is missing.
 */
export async function readCapabilityList(
  config: AddressSpace,
  base: number,
  reaches: (place: StructurePlace, length: number) => boolean,
): Promise<VirtioStructures> {
  const found: FoundStructure[] = [];
  const vendorData: { vendor: number; capability: number; length: number }[] = [];
  let msix: MsixPlace | undefined;
  for (const at of await capabilityOffsets(config, base)) {
    const id = await config.read(base + at, 1);
    if (id === PciCapability.msix && at + 12 <= CONFIG_LENGTH) msix ??= await readMsix(config, base, at);
    if (id !== PciCapability.vendor || at + 4 > CONFIG_LENGTH) continue;
    const length = await config.read(base + at + 2, 1);
    const type = await config.read(base + at + 3, 1);
    if (at + length > CONFIG_LENGTH) continue;
    if (type === StructureType.vendor && length >= 6) {
      vendorData.push({ vendor: await config.read(base + at + 4, 2), capability: at, length });
    } else if (length >= 16) {
      found.push(await readStructure(config, base, at, length, type));
    }
  }
  // "SHOULD use the first instance of each virtio structure type they can support" (4.1.4.1); a reserved BAR is ignored.
  const usable = found.filter(({ bar }) => bar <= 5);
  const first = (type: number, least: number) =>
    usable.find((structure) => structure.type === type && structure.length >= least && reaches(structure, least));
  const common = first(StructureType.common, COMMON_CONFIG_LEAST);
  const notify = usable.find(
    (structure) =>
      structure.type === StructureType.notify &&
      structure.capabilityLength >= 20 &&
      structure.length >= 2 &&
      reaches(structure, 2),
  );
  const isr = first(StructureType.isr, 1);
  if (common === undefined) throw missing("common configuration");
  if (notify === undefined) throw missing("notification");
  if (isr === undefined) throw missing("ISR status");
  const sharedMemory = new Map<number, StructurePlace>();
  for (const structure of usable) {
    if (structure.type !== StructureType.sharedMemory || structure.capabilityLength < 24) continue;
    if (sharedMemory.has(structure.id)) continue;
    sharedMemory.set(structure.id, await withHighHalves(config, base, structure));
  }
  return {
    common,
    notify: { ...notify, multiplier: await config.read(base + notify.capability + 16, 4) },
    isr,
    device: first(StructureType.device, 1),
    sharedMemory,
    vendorData,
    pciAccess: found.find(({ type, capabilityLength }) => type === StructureType.pciAccess && capabilityLength >= 20)
      ?.capability,
    msix,
  };
}

/** Offsets of the capabilities, each once. */
async function capabilityOffsets(config: AddressSpace, base: number): Promise<number[]> {
  const status = await config.read(base + PciRegister.status, 2);
  if ((status & PciStatus.capabilityList) === 0) return [];
  const offsets: number[] = [];
  let at = (await config.read(base + PciRegister.capabilities, 1)) & 0xfc;
  while (at >= FIRST_CAPABILITY && !offsets.includes(at) && offsets.length < MOST_CAPABILITIES) {
    offsets.push(at);
    at = (await config.read(base + at + 1, 1)) & 0xfc;
  }
  return offsets;
}

async function readStructure(
  config: AddressSpace,
  base: number,
  capability: number,
  capabilityLength: number,
  type: number,
): Promise<FoundStructure> {
  const at = base + capability;
  return {
    type,
    capability,
    capabilityLength,
    bar: await config.read(at + 4, 1),
    id: await config.read(at + 5, 1),
    offset: await config.read(at + 8, 4),
    length: await config.read(at + 12, 4),
  };
}

async function withHighHalves(config: AddressSpace, base: number, found: FoundStructure): Promise<StructurePlace> {
  const at = base + found.capability;
  return {
    bar: found.bar,
    offset: found.offset + 2 ** 32 * (await config.read(at + 16, 4)),
    length: found.length + 2 ** 32 * (await config.read(at + 20, 4)),
  };
}

async function readMsix(config: AddressSpace, base: number, capability: number): Promise<MsixPlace | undefined> {
  const control = await config.read(base + capability + 2, 2);
  const table = await config.read(base + capability + 4, 4);
  const bar = table & 7;
  if (bar > 5) return undefined;
  return { capability, vectors: (control & 0x7ff) + 1, table: { bar, offset: table - bar } };
}

function missing(what: string): ProtocolError {
  return new ProtocolError("transport-layout", Clause.pciLayout, `the device has no usable ${what} capability`);
}
