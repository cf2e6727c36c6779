import type { EventFd } from "../../posix/index.js";
import type { LogArea } from "../protocol/index.js";
import type { DirtyLog } from "./dirty-log.js";
import type { SessionWorkers } from "./workers/session-workers.js";

/**
 * Pages are marked in this area from now on.
 * @param end of guest memory
 * @throws VhostUserError when the area does not do.
 */
export async function setLogArea(
  log: DirtyLog,
  workers: SessionWorkers | undefined,
  end: number,
  area: LogArea,
  fd: number,
): Promise<void> {
  const old = log.setArea(area, fd, end);
  try {
    // Until they have heard of it they mark pages in the old one, which the front end reads once more.
    await workers?.setLog(log);
  } finally {
    old?.release();
  }
}

/** This tells the front end of what is new in the log. Takes the eventfd over. */
export async function setLogEvent(
  log: DirtyLog,
  workers: SessionWorkers | undefined,
  event: EventFd | undefined,
): Promise<void> {
  const old = log.replaceEvent(event);
  try {
    // Who uses it lets go of it first.
    await workers?.setLog(log);
  } finally {
    old?.close();
  }
}
