export { connectThread, type ConnectThreadOptions, type ThreadTransport } from "./connect-thread.js";
export type { Waiting } from "./doorbell.js";
export { serveThread, type ServedThread, type ServeThreadOptions } from "./serve-thread.js";
export {
  createThreadChannel,
  type ThreadChannel,
  type ThreadChannelOptions,
  type ThreadEnd,
  type ThreadPort,
} from "./thread-channel.js";
export { ThreadLostError } from "./thread-lost.js";
