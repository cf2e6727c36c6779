export {
  CREATED_BYTES,
  decodeCreateRequest,
  decodeDestroyRequest,
  encodeCreateRequest,
  encodeDestroyRequest,
  opcodeOf,
} from "./crypto-control.js";
export {
  CryptoOpcode,
  type AsymmetricSession,
  type CryptoSession,
  type CryptoSessionMessage,
  type SymmetricSession,
} from "./crypto-session.js";
export { VhostUserError, type VhostUserRule } from "./fault.js";
export { ProtocolFeature, VhostFeature, type ProtocolFeatureName } from "./features.js";
export { logBytes, logPageBytes } from "./log-layout.js";
export { inflightBytes, inflightPartBytes } from "./inflight-layout.js";
export { closeAll, decodePayload, encodePayload, MessageChannel, type Message } from "./message-channel.js";
export {
  CONFIG_MIGRATION,
  IotlbType,
  mostConfigBytes,
  mostPayloadBytes,
  mostTableRegions,
  VRING_LOG,
  type ConfigAccess,
  type InflightArea,
  type IotlbMessage,
  type LogArea,
  type Payloads,
  type SharedRegion,
  type VringAddress,
  type VringState,
} from "./payloads.js";
export {
  backEndRequests,
  backEndTable,
  frontEndRequests,
  frontEndTable,
  RequestTable,
  type BackEndRequest,
  type FrontEndRequest,
  type PayloadKind,
  type RequestShape,
} from "./requests.js";
export { baseOf, positionOf } from "./vring-base.js";
