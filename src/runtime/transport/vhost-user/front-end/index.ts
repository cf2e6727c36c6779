export { CryptoMessages } from "./crypto-driver-transport.js";
export { connect, VhostUserDriverTransport, type ConnectOptions } from "./vhost-user-driver-transport.js";
export type { ReconnectOptions } from "./return-of-back-end.js";
