import { CommonFeature } from "../../negotiation/common-feature.js";
import { FeatureSet } from "../../negotiation/feature-set.js";

/** What a device behind MMIO cannot offer (VIRTIO 1.4, 6.1 and 4.2): there are no registers for it. */
export const MMIO_UNSUPPORTED = FeatureSet.of([
  CommonFeature.SR_IOV,
  CommonFeature.NOTIF_CONFIG_DATA,
  CommonFeature.ADMIN_VQ,
]);

/** Registers of virtio over MMIO (VIRTIO 1.4, 4.2.2), and those that only version 1 has (4.2.4). */
export const MmioRegister = {
  magicValue: 0x000,
  version: 0x004,
  deviceId: 0x008,
  vendorId: 0x00c,
  deviceFeatures: 0x010,
  deviceFeaturesSel: 0x014,
  driverFeatures: 0x020,
  driverFeaturesSel: 0x024,
  /** Legacy. */
  guestPageSize: 0x028,
  queueSel: 0x030,
  queueSizeMax: 0x034,
  queueSize: 0x038,
  /** Legacy. */
  queueAlign: 0x03c,
  /** Legacy. */
  queuePfn: 0x040,
  queueReady: 0x044,
  queueNotify: 0x050,
  interruptStatus: 0x060,
  interruptAck: 0x064,
  status: 0x070,
  queueDescLow: 0x080,
  queueDescHigh: 0x084,
  queueDriverLow: 0x090,
  queueDriverHigh: 0x094,
  queueDeviceLow: 0x0a0,
  queueDeviceHigh: 0x0a4,
  shmSel: 0x0ac,
  shmLenLow: 0x0b0,
  shmLenHigh: 0x0b4,
  shmBaseLow: 0x0b8,
  shmBaseHigh: 0x0bc,
  queueReset: 0x0c0,
  configGeneration: 0x0fc,
  config: 0x100,
} as const;

/** "virt", little-endian. */
export const MMIO_MAGIC = 0x7472_6976;
export const MMIO_VERSION = 2;
export const MMIO_LEGACY_VERSION = 1;
/** Page size and alignment that our driver uses on the legacy interface; the alignment of queues whose driver gives none. */
export const LEGACY_PAGE = 4096;

/** Bits of InterruptStatus and InterruptACK. */
export const MmioInterrupt = { used: 1, config: 2 } as const;
