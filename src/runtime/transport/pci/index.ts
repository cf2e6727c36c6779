export {
  findVirtioFunctions,
  PciDriverTransport,
  virtioDeviceAt,
  type PciDriverOptions,
} from "./pci-driver-transport.js";
export { formatPlace, pciPlace, type InterruptMessage, type PciHost, type PciInterrupts } from "./pci-host.js";
export { RegisterWindow, type AddressSpace } from "../bus/index.js";
export type { BarRoom } from "./base-addresses.js";
export type { VirtioStructures } from "./capability-list.js";
export { PciTransport, type PciState, type PciTransportOptions, type SharedMemoryRegion } from "./pci-transport.js";
export type { PciBar, PciIdentity } from "./config-space.js";
