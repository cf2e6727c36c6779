export { CryptoMessages } from "./crypto-driver-transport.js";
export { connect } from "./connect.js";
export type { ConnectOptions } from "./connect-options.js";
export { VhostUserDriverTransport } from "./vhost-user-driver-transport.js";
export type { DirtyPages } from "./dirty-pages.js";
export type { ReconnectOptions } from "./return-of-back-end.js";
