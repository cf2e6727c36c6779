import type { VirtioDevice } from "../../../device/index.js";
import { FeatureSet } from "../../../negotiation/index.js";
import { ProtocolFeature } from "../protocol/index.js";
import { keepsSessions } from "./crypto-sessions.js";
import { networkFeatures } from "./network-requests.js";
import type { SessionOptions } from "./session-options.js";

/** With any device. */
const common = FeatureSet.of([
  ProtocolFeature.MQ,
  ProtocolFeature.LOG_SHMFD,
  ProtocolFeature.REPLY_ACK,
  ProtocolFeature.BACKEND_REQ,
  ProtocolFeature.CONFIG,
  ProtocolFeature.INFLIGHT_SHMFD,
  ProtocolFeature.RESET_DEVICE,
  ProtocolFeature.CONFIGURE_MEM_SLOTS,
  ProtocolFeature.STATUS,
]);
const ofCrypto = FeatureSet.of([ProtocolFeature.CRYPTO_SESSION]);
const postCopy = FeatureSet.of([ProtocolFeature.PAGEFAULT]);
const inband = FeatureSet.of([ProtocolFeature.INBAND_NOTIFICATIONS]);

/** Protocol features that are offered with a device: as what it is, as was asked for, and what the system can do. */
export function offeredProtocolFeatures(
  device: VirtioDevice,
  options: SessionOptions,
  takesFaults: boolean,
): FeatureSet {
  return common
    .or(keepsSessions(device) ? ofCrypto : FeatureSet.none)
    .or(options.inbandNotifications ? inband : FeatureSet.none)
    .or(takesFaults ? postCopy : FeatureSet.none)
    .or(networkFeatures(options.network));
}
