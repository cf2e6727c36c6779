export { CryptoMessages } from "./crypto-driver-transport.js";
export type { ConnectOptions } from "./connect-options.js";
export { connect, VhostUserDriverTransport } from "./vhost-user-driver-transport.js";
export type { DirtyPages } from "./dirty-pages.js";
export type { ReconnectOptions } from "./return-of-back-end.js";
