/** Features that do not depend on the type of device; "Reserved Feature Bits" (6) of the specification. */
export const CommonFeature = {
  /** Legacy: notify when a queue runs out of buffers, whatever was suppressed. */
  NOTIFY_ON_EMPTY: 24,
  /** Legacy: messages may be cut into descriptors anywhere. */
  ANY_LAYOUT: 27,
  /** Descriptors may refer to tables of descriptors. */
  INDIRECT_DESC: 28,
  /** Notifications are suppressed by index. */
  EVENT_IDX: 29,
  /** Compliance with the specification from version 1.0 on. */
  VERSION_1: 32,
  /** Addresses may be limited or translated by the platform. */
  ACCESS_PLATFORM: 33,
  /** Packed virtqueues. */
  RING_PACKED: 34,
  /** Buffers are used in the order in which they were made available. */
  IN_ORDER: 35,
  /** Memory accesses are ordered as the platform says. */
  ORDER_PLATFORM: 36,
  /** Single root I/O virtualization. */
  SR_IOV: 37,
  /** Notifications of the driver carry more than the queue's index. */
  NOTIFICATION_DATA: 38,
  /** The device supplies what identifies a queue in notifications. */
  NOTIF_CONFIG_DATA: 39,
  /** Queues can be reset one by one. */
  RING_RESET: 40,
  /** Administration virtqueues. */
  ADMIN_VQ: 41,
  /** The driver can suspend the device. */
  SUSPEND: 43,
} as const;
export type CommonFeatureName = keyof typeof CommonFeature;

/**
 * What this runtime can do on either side; a device may offer no other common feature. A transport may be able to do less:
 * what it lacks is not offered over it.
 */
export const SUPPORTED_COMMON_FEATURES: readonly CommonFeatureName[] = [
  "INDIRECT_DESC",
  "EVENT_IDX",
  "VERSION_1",
  "ACCESS_PLATFORM",
  "RING_PACKED",
  "IN_ORDER",
  "ORDER_PLATFORM",
  "NOTIFICATION_DATA",
  "NOTIF_CONFIG_DATA",
  "RING_RESET",
  "SUSPEND",
];

/** Is this the name of a feature that all device types have? */
export function isCommonFeature(name: string): name is CommonFeatureName {
  return Object.hasOwn(CommonFeature, name);
}
