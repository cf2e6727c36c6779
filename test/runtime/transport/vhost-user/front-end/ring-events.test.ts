import { describe, expect, it, onTestFinished } from "vitest";
import {
  loadSystemCalls,
  watcherOf,
  type Watch,
  type Watcher,
} from "../../../../../src/runtime/transport/posix/index.js";
import { RingEvents } from "../../../../../src/runtime/transport/vhost-user/front-end/ring-events.js";
import { openFiles } from "../../../fixtures/process-state.js";
import { until } from "../scripted-front-end.js";
import { requireVhostUser } from "../served-device.js";

describe.runIf(await requireVhostUser())("the eventfds of a ring", () => {
  /** The watcher that there is, counting how often it calls back. */
  async function counting(): Promise<{ watcher: Watcher; open: Set<Watch>; calls: Map<number, number> }> {
    const inner = watcherOf(await loadSystemCalls());
    const calls = new Map<number, number>();
    const open = new Set<Watch>();
    const watcher: Watcher = {
      watch(fd, onReadable) {
        const watch = inner.watch(fd, () => {
          calls.set(fd, (calls.get(fd) ?? 0) + 1);
          onReadable();
        });
        const counted: Watch = {
          close() {
            watch.close();
            open.delete(counted);
          },
        };
        open.add(counted);
        return counted;
      },
    };
    return { watcher, open, calls };
  }

  it("tell each use, and a failure once, however often it is signalled", async () => {
    const { watcher, open, calls } = await counting();
    const before = openFiles();
    const told: string[] = [];
    const news = { onUsed: () => told.push("used"), onFailure: () => told.push("failed") };
    const events = new RingEvents(await loadSystemCalls(), watcher, news);
    onTestFinished(() => events.close());
    events.failure.signal();
    await until(() => told.length === 1);
    for (let count = 1; count <= 20; count++) {
      // It could be read all the time from here on, and would keep the event loop busy.
      events.failure.signal();
      events.call.signal();
      await until(() => told.length === 1 + count);
    }
    expect(told).toEqual(["failed", ...Array.from({ length: 20 }, () => "used")]);
    expect(calls.get(events.failure.fd)).toBe(1);
    events.close();
    expect(open.size).toBe(0);
    expect(openFiles()).toBe(before);
  });

  it.each([0, 1])("are gone when the system watches %i of them only", async (most) => {
    const { watcher, open } = await counting();
    const before = openFiles();
    const failing: Watcher = {
      watch(fd, onReadable) {
        if (open.size === most) throw new Error("no more");
        return watcher.watch(fd, onReadable);
      },
    };
    const system = await loadSystemCalls();
    const news = { onUsed: () => undefined, onFailure: () => undefined };
    expect(() => new RingEvents(system, failing, news)).toThrow("no more");
    expect(open.size).toBe(0);
    expect(openFiles()).toBe(before);
  });
});
