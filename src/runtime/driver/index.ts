export type {
  ConfigAccess,
  DriverDefinition,
  DriverQueueContext,
  RequestCut,
  DriverQueueHandler,
  DriverQueuePlan,
} from "./driver-definition.js";
export { DriverReceiveQueue, type ReceiveQueueOptions } from "./driver-receive-queue.js";
export { DriverRequestQueue } from "./driver-request-queue.js";
export { DriverTransmitQueue, type MessageCodec } from "./driver-transmit-queue.js";
export { negotiate, type Negotiation } from "./feature-negotiation.js";
export type { ReplySink, RequestCodec } from "./request-codec.js";
export { VirtioDriver, type VirtioDriverOptions } from "./virtio-driver.js";
