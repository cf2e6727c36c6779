import type { SystemCalls, Watcher } from "../../posix/index.js";

/** What a session needs to know of how it is served. */
export interface SessionOptions {
  readonly system: SystemCalls;
  readonly watcher: Watcher;
  /** Milliseconds that a stop of a ring waits for requests. */
  readonly stopTimeout: number;
  /** INBAND_NOTIFICATIONS is offered. */
  readonly inbandNotifications: boolean;
  readonly report: (error: Error) => void;
}
