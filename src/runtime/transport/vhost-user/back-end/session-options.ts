import type { SystemCalls, Watcher } from "../../posix/index.js";
import type { NetworkRequests } from "./network-requests.js";

/** What a session needs to know of how it is served. */
export interface SessionOptions {
  readonly system: SystemCalls;
  readonly watcher: Watcher;
  /** Milliseconds that a stop of a ring waits for requests. */
  readonly stopTimeout: number;
  /** INBAND_NOTIFICATIONS is offered. */
  readonly inbandNotifications: boolean;
  /** Of a network card: what else its front end says; nothing of it is offered if it is empty. */
  readonly network: NetworkRequests;
  readonly report: (error: Error) => void;
}
