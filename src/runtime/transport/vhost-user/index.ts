export { serve, type QueueWorkers, type ServedDevice, type ServeOptions } from "./back-end/serve.js";
export type { NetworkRequests } from "./back-end/network-requests.js";
export { serveQueues, type ServeQueuesOptions } from "./back-end/workers/serve-queues.js";
export {
  connect,
  CryptoMessages,
  VhostUserDriverTransport,
  type ConnectOptions,
  type ReconnectOptions,
} from "./front-end/index.js";
export { PosixUnavailableError, SystemCallError, type PosixUnavailableReason } from "../posix/index.js";
export {
  VhostUserError,
  type AsymmetricSession,
  type CryptoSession,
  type SymmetricSession,
  type VhostUserRule,
} from "./protocol/index.js";
