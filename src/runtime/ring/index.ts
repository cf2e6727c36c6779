export { ReadableBytes, WritableBytes } from "./chain-bytes.js";
export { createDeviceQueue, createDriverQueue } from "./create-queue.js";
export type {
  DeviceChain,
  DeviceQueue,
  DeviceQueueOptions,
  DriverQueue,
  DriverQueueOptions,
  IndirectTableRoom,
  InFlightChain,
  QueueAddresses,
  QueueOptions,
  QueuePosition,
  RingFeatures,
  SavedSegment,
} from "./queue-types.js";
export { RingError, ringErrorRules, type RingRule, type RuleText } from "./ring-errors.js";
export { largestQueueSize, legacyRingAddresses, legacyRingBytes, ringLayout, type RingLayout } from "./ring-layout.js";
export { ringParts, type RingPart } from "./ring-parts.js";
export { WrappedDeviceQueue } from "./wrapped-device-queue.js";
export { forEachWritten } from "./written.js";
