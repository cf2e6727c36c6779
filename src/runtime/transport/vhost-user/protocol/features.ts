/** Feature bits of the protocol that travel with those of the device. */
export const VhostFeature = {
  /** VHOST_F_LOG_ALL: the back end marks the pages that it writes. */
  LOG_ALL: 26,
  /** VHOST_USER_F_PROTOCOL_FEATURES: there are protocol features to negotiate. */
  PROTOCOL_FEATURES: 30,
} as const;

/** VHOST_USER_PROTOCOL_F_*: bit numbers. */
export const ProtocolFeature = {
  MQ: 0,
  LOG_SHMFD: 1,
  RARP: 2,
  REPLY_ACK: 3,
  MTU: 4,
  BACKEND_REQ: 5,
  CROSS_ENDIAN: 6,
  CRYPTO_SESSION: 7,
  PAGEFAULT: 8,
  CONFIG: 9,
  BACKEND_SEND_FD: 10,
  HOST_NOTIFIER: 11,
  INFLIGHT_SHMFD: 12,
  RESET_DEVICE: 13,
  INBAND_NOTIFICATIONS: 14,
  CONFIGURE_MEM_SLOTS: 15,
  STATUS: 16,
} as const;
export type ProtocolFeatureName = keyof typeof ProtocolFeature;
