import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMemoryFile,
  EventFd,
  loadSystemCalls,
  LoopWatcher,
  SharedMapping,
  SystemCallError,
  ThreadWatcher,
  TurnWatcher,
  UnixListener,
  UnixSocket,
  type SystemCalls,
  type Watcher,
} from "../../../../src/runtime/transport/posix/index.js";
import { collectGarbage, openFiles } from "../../fixtures/process-state.js";
import { requireSystemCalls } from "./require-system-calls.js";

const usable = await requireSystemCalls();

const mappings = (): number => readFileSync("/proc/self/maps", "utf8").split("\n").length;
const soon = (milliseconds = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
/** Waits until something holds; after some seconds the test goes on, and finds that it does not. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 6000 && !holds(); tries++) await soon(10);
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "virtio-gen-posix-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof SystemCallError ? `${error.call} ${error.code}` : String(error);
  }
  return "no error";
}

describe.runIf(usable)("system calls", async () => {
  const system: SystemCalls = await loadSystemCalls();

  it("sends and receives bytes with descriptors, eight and more at once", () => {
    const before = openFiles();
    const [a, b] = UnixSocket.pair(system);
    const files = Array.from({ length: 20 }, (_, i) => createMemoryFile(system, "test", 4096 + i));
    expect(a.send(Uint8Array.of(1, 2, 3), files)).toBe(3);
    const target = new Uint8Array(10);
    const received = b.receive(target);
    expect(received).toMatchObject({ length: 3, truncated: false });
    expect([...target.subarray(0, 3)]).toEqual([1, 2, 3]);
    expect(received?.fds).toHaveLength(20);
    expect(b.receive(target)).toBeUndefined();
    // They are the same files.
    const last = received?.fds[19] ?? -1;
    const mine = new SharedMapping(system, files[19] ?? -1, 0, 16);
    const theirs = new SharedMapping(system, last, 0, 16);
    mine.view(0, 16)[5] = 77;
    expect(theirs.view(0, 16)[5]).toBe(77);
    for (const mapping of [mine, theirs]) mapping.release();
    for (const fd of [...files, ...(received?.fds ?? [])]) closeSync(fd);
    a.close();
    expect(b.receive(target)).toEqual({ length: 0, fds: [], truncated: false });
    b.close();
    expect(openFiles()).toBe(before);
  });

  it("says that nothing can be sent when the peer does not read", () => {
    const [a, b] = UnixSocket.pair(system);
    let sent = 0;
    for (let one = 1; one > 0 && sent < 2 ** 24; sent += one) one = a.send(new Uint8Array(8192));
    expect(sent).toBeGreaterThan(8192);
    expect(sent).toBeLessThan(2 ** 24);
    a.close();
    b.close();
  });

  it("listens, connects and accepts", () => {
    const before = openFiles();
    const path = join(folder(), "socket");
    expect(codeOf(() => UnixSocket.connect(system, path))).toBe("connect ENOENT");
    const listener = new UnixListener(system, path);
    expect(listener.accept()).toBeUndefined();
    expect(codeOf(() => new UnixListener(system, path))).toBe("bind EADDRINUSE");
    const client = UnixSocket.connect(system, path);
    const server = listener.accept();
    server?.send(Uint8Array.of(9));
    const target = new Uint8Array(4);
    expect(client.receive(target)?.length).toBe(1);
    for (const socket of [client, server, listener]) socket?.close();
    expect(codeOf(() => UnixSocket.connect(system, path))).toBe("connect ECONNREFUSED");
    expect(codeOf(() => UnixSocket.connect(system, "x".repeat(200)))).toBe("bind ENAMETOOLONG");
    expect(codeOf(() => client.send(target))).toBe("sendmsg EBADF");
    expect(openFiles()).toBe(before);
  });

  it("refuses to map what a file does not have, and what is no memory", () => {
    const fd = system.memfd("test", 0);
    ftruncateSync(fd, 8192);
    expect(codeOf(() => new SharedMapping(system, fd, 0, 8193))).toBe("mmap EINVAL");
    expect(codeOf(() => new SharedMapping(system, fd, 8192, 1))).toBe("mmap EINVAL");
    expect(codeOf(() => new SharedMapping(system, fd, 0, 0))).toBe("mmap EINVAL");
    ftruncateSync(fd, 4096);
    expect(codeOf(() => new SharedMapping(system, fd, 4096, 4096))).toBe("mmap EINVAL");
    closeSync(fd);
    expect(codeOf(() => new SharedMapping(system, fd, 0, 4096))).toBe("fstat EBADF");
    const readOnly = openSync("/proc/self/exe", "r");
    expect(codeOf(() => new SharedMapping(system, readOnly, 0, 4096))).toBe("mmap EACCES");
    closeSync(readOnly);
  });

  it("maps from any offset, and leaves views harmless when the memory is released", async () => {
    const fd = createMemoryFile(system, "test", 1 << 20);
    const whole = new SharedMapping(system, fd, 0, 1 << 20);
    whole.view(5000, 1)[0] = 42;
    const part = new SharedMapping(system, fd, 5000, 100);
    const view = part.view(0, 100);
    expect(view[0]).toBe(42);
    expect(() => part.view(50, 51)).toThrow(RangeError);
    part.release();
    expect(view[0]).toBe(0);
    view[0] = 1;
    expect(whole.view(5000, 1)[0]).toBe(42);
    whole.release();
    closeSync(fd);
    await soon();
  });

  it("takes the addresses away when the last view is gone: 200 times, and no more mappings than before", async () => {
    const before = mappings();
    const fd = createMemoryFile(system, "test", 1 << 20);
    for (let round = 0; round < 200; round++) {
      const mapping = new SharedMapping(system, fd, 0, 1 << 20);
      mapping.view(0, 1 << 20)[0] = round;
      mapping.release();
    }
    closeSync(fd);
    await eventually(() => {
      collectGarbage();
      return mappings() < before + 50;
    });
    expect(mappings()).toBeLessThan(before + 50);
  });

  const watchers: readonly { readonly name: string; readonly make: () => Watcher | undefined }[] = [
    { name: "the event loop", make: () => LoopWatcher.open(system) },
    { name: "turns", make: () => TurnWatcher.open(system) },
    { name: "a thread", make: () => new ThreadWatcher(system) },
  ];
  describe.each(watchers)("watching by $name", ({ make }) => {
    const watcher = make();
    if (watcher === undefined) throw new Error("it cannot be used here");

    it("calls back when an eventfd is signalled, and only then", async () => {
      const before = openFiles();
      const events = EventFd.create(system);
      let calls = 0;
      let called: () => void = () => undefined;
      const watch = watcher.watch(events.fd, () => {
        events.drain();
        calls++;
        called();
      });
      await soon(20);
      expect(calls).toBe(0);
      for (let round = 1; round <= 50; round++) {
        const done = new Promise<void>((resolve) => (called = resolve));
        events.signal();
        await done;
        expect(calls).toBe(round);
      }
      watch.close();
      watch.close();
      events.signal();
      await soon(20);
      expect(calls).toBe(50);
      events.close();
      expect(events.signal()).toBe(false);
      await eventually(() => openFiles() <= before);
      expect(openFiles()).toBeLessThanOrEqual(before);
    });

    it("keeps apart what it watches, also when one ends another", async () => {
      const [a, b] = [EventFd.create(system), EventFd.create(system)];
      const calls: string[] = [];
      const first = watcher.watch(a.fd, () => {
        calls.push("a");
        a.drain();
        second.close();
      });
      const second = watcher.watch(b.fd, () => {
        calls.push("b");
        b.drain();
        first.close();
      });
      a.signal();
      b.signal();
      await eventually(() => calls.length > 0);
      await soon(50);
      expect(calls).toHaveLength(1);
      first.close();
      second.close();
      a.close();
      b.close();
    });

    it("ends nothing but its own, however late it is ended again", async () => {
      const old = EventFd.create(system);
      const ended = Array.from({ length: 20 }, () => {
        const watch = watcher.watch(old.fd, () => undefined);
        watch.close();
        return watch;
      });
      // What they had of memory is given back, and others have it then.
      await soon(20);
      const events = Array.from({ length: 40 }, () => EventFd.create(system));
      const called = new Set<number>();
      const watches = events.map((event, index) =>
        watcher.watch(event.fd, () => {
          event.drain();
          called.add(index);
        }),
      );
      for (const watch of ended) watch.close();
      for (const event of events) event.signal();
      await eventually(() => called.size === events.length);
      expect(called.size).toBe(events.length);
      for (const watch of watches) watch.close();
      for (const event of [old, ...events]) event.close();
    });

    it("sees the end of a connection", async () => {
      const [a, b] = UnixSocket.pair(system);
      const end = new Promise<number | undefined>((resolve) => {
        const watch = watcher.watch(b.fd, () => {
          watch.close();
          resolve(b.receive(new Uint8Array(1))?.length);
        });
      });
      a.close();
      expect(await end).toBe(0);
      b.close();
    });
  });
});
