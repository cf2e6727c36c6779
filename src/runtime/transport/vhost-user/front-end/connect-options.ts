import { CommonFeature } from "../../../negotiation/common-feature.js";
import { FeatureSet } from "../../../negotiation/feature-set.js";
import { ProtocolFeature, VhostFeature, type VhostUserError } from "../protocol/index.js";
import type { ReconnectOptions } from "./return-of-back-end.js";

export interface ConnectOptions {
  /** Number of the type of device behind the socket; the protocol has no question for it. */
  readonly deviceId: number;
  /** Memory that is shared with the back end, in bytes; 64 MiB if absent. */
  readonly memorySize?: number;
  /** Largest size of a queue, a power of two; 256 if absent. The protocol has no question for it. */
  readonly queueSize?: number;
  /** Number of queues, where the back end cannot say it; 16 if absent. */
  readonly queues?: number;
  /** The configuration space, where it is not the back end's: virtio-fs has its tag in the front end. */
  readonly config?: Uint8Array;
  /** For how long the back end may think about a request, in milliseconds; 20,000 if absent: a stop of a ring waits for requests. */
  readonly patience?: number;
  /**
   * Kicks and calls are messages that are answered, in place of eventfds, if the back end offers that: for simulations. False if
   * absent.
   */
  readonly inbandNotifications?: boolean;
  /**
   * Whether a back end that dies is to be replaced by the next one that listens at the same path, while the driver goes on:
   * with an inflight region, if the back end has such a thing. False if absent.
   */
  readonly reconnect?: boolean | ReconnectOptions;
  /** Told once, when the back end is gone for good or does not keep to the protocol. The device needs a reset then. */
  readonly onEnd?: (error: VhostUserError) => void;
}

export const DEFAULTS = { memorySize: 64 * 1024 * 1024, queueSize: 256, queues: 16, patience: 20_000 } as const;

const WANTED = FeatureSet.of([
  ProtocolFeature.MQ,
  ProtocolFeature.REPLY_ACK,
  ProtocolFeature.BACKEND_REQ,
  ProtocolFeature.CONFIG,
  ProtocolFeature.CONFIGURE_MEM_SLOTS,
  ProtocolFeature.CRYPTO_SESSION,
  ProtocolFeature.LOG_SHMFD,
  ProtocolFeature.RESET_DEVICE,
  ProtocolFeature.STATUS,
]);
/** Protocol features that are used if they are offered. */
export function wantedOf({ reconnect = false, inbandNotifications = false }: ConnectOptions): FeatureSet {
  const more: number[] = [];
  if (reconnect !== false) more.push(ProtocolFeature.INFLIGHT_SHMFD);
  if (inbandNotifications) more.push(ProtocolFeature.INBAND_NOTIFICATIONS);
  return WANTED.or(FeatureSet.of(more));
}

/** What a queue, or a notification, cannot do over this protocol, and the bits that are its own. */
export const UNSUPPORTED = FeatureSet.of([
  VhostFeature.LOG_ALL,
  VhostFeature.PROTOCOL_FEATURES,
  CommonFeature.ACCESS_PLATFORM,
  CommonFeature.SR_IOV,
  CommonFeature.NOTIFICATION_DATA,
  CommonFeature.NOTIF_CONFIG_DATA,
  CommonFeature.ADMIN_VQ,
  CommonFeature.SUSPEND,
]);
