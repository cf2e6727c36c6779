export { MmioDriverTransport, type MmioDriverOptions } from "./mmio-driver-transport.js";
export { MmioInterrupt, MmioRegister } from "./mmio-layout.js";
