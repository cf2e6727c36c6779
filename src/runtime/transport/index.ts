export type { DeviceTransport } from "./device-transport.js";
export type { DriverTransport, MaybePromise } from "./driver-transport.js";
export type { Trace, TracedDescriptor, TraceEvent } from "./trace.js";
