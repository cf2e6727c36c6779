export { serve, type ServedDevice, type ServeOptions } from "./back-end/serve.js";
export { connect, VhostUserDriverTransport, type ConnectOptions, type ReconnectOptions } from "./front-end/index.js";
export { PosixUnavailableError, SystemCallError, type PosixUnavailableReason } from "../posix/index.js";
export { VhostUserError, type VhostUserRule } from "./protocol/index.js";
