export { connect, VhostUserDriverTransport, type ConnectOptions } from "./vhost-user-driver-transport.js";
