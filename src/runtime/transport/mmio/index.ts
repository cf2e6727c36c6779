export { MmioDriverTransport, type MmioDriverOptions } from "./mmio-driver-transport.js";
export { RegisterWindow, type AddressSpace } from "../bus/index.js";
export { MmioInterrupt, MmioRegister } from "./mmio-layout.js";
export { MmioTransport, type MmioSharedMemory, type MmioState, type MmioTransportOptions } from "./mmio-transport.js";
