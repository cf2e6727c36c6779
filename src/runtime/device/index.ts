export type {
  ConfigPhase,
  DeviceDefinition,
  QueueHandler,
  QueueIdentity,
  QueuePlan,
  WritableConfigRange,
} from "./device-definition.js";
export {
  DEVICE_STATE_VERSION,
  DeviceStateError,
  type DeviceState,
  type DeviceStateRule,
  type SavedQueue,
} from "./device-state.js";
export { DeviceQueueControl } from "./device-queue-control.js";
export { MessageSender, type MessageSenderOptions } from "./message-sender.js";
export { DeviceOptionsError } from "./offered-features.js";
export { RequestServer, type HandlerResult, type RequestServerOptions } from "./request-server.js";
export { RequestSlot, type Completion, type SlotHost } from "./request-slot.js";
export type { VirtioDeviceOptions } from "./device-options.js";
export { VirtioDevice } from "./virtio-device.js";
