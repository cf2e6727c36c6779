/** Vendor of all virtio devices, and where the device's number is added (VIRTIO 1.4, 4.1.2). */
export const VIRTIO_VENDOR = 0x1af4;
export const MODERN_DEVICE_BASE = 0x1040;
/** PCI device numbers of transitional devices and their virtio device numbers (4.1.2.1). */
export const TRANSITIONAL_DEVICES: Readonly<Record<number, number>> = {
  0x1000: 1, 0x1001: 2, 0x1002: 5, 0x1003: 3, 0x1004: 8, 0x1005: 4, 0x1009: 9,
}; // prettier-ignore

/** Registers of the PCI configuration space that both sides need. */
export const PciRegister = {
  vendor: 0x00,
  device: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  headerType: 0x0e,
  bar0: 0x10,
  subsystemVendor: 0x2c,
  subsystem: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;

/** Bits of the command register. */
export const PciCommand = { io: 1, memory: 2, busMaster: 4, interruptDisable: 0x400 } as const;
/** Bits of the status register. */
export const PciStatus = { interrupt: 0x08, capabilityList: 0x10 } as const;
/** Capability numbers of the PCI specification. */
export const PciCapability = { vendor: 0x09, msix: 0x11 } as const;

/** `cfg_type`: what a virtio structure capability describes (4.1.4). */
export const StructureType = {
  common: 1,
  notify: 2,
  isr: 3,
  device: 4,
  pciAccess: 5,
  sharedMemory: 8,
  vendor: 9,
} as const;

/** Offsets in the common configuration structure (4.1.4.3). */
export const CommonConfig = {
  deviceFeatureSelect: 0x00,
  deviceFeature: 0x04,
  driverFeatureSelect: 0x08,
  driverFeature: 0x0c,
  configMsixVector: 0x10,
  numQueues: 0x12,
  deviceStatus: 0x14,
  configGeneration: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueMsixVector: 0x1a,
  queueEnable: 0x1c,
  queueNotifyOff: 0x1e,
  queueDesc: 0x20,
  queueDriver: 0x28,
  queueDevice: 0x30,
  queueNotifConfigData: 0x38,
  queueReset: 0x3a,
  adminQueueIndex: 0x3c,
  adminQueueNum: 0x3e,
} as const;
/** Length of the common configuration without what VIRTIO 1.2 and 1.3 added, and with all of it. */
export const COMMON_CONFIG_LEAST = 0x38;
export const COMMON_CONFIG_LENGTH = 0x40;

/** Vector number that stands for none (4.1.5.1.2). */
export const NO_VECTOR = 0xffff;

/** Bits of the ISR status (4.1.4.5). */
export const Isr = { queue: 1, config: 2 } as const;
