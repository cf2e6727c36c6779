export { MmioDriverTransport, type MmioDriverOptions } from "./mmio-driver-transport.js";
export { MmioInterrupt, MmioRegister } from "./mmio-layout.js";
export { MmioTransport, type MmioSharedMemory, type MmioTransportOptions } from "./mmio-transport.js";
