import { startThread } from "../../examples/shared/thread.js";
import { GuestMemory } from "../../src/runtime/memory/index.js";
import { createDriverQueue } from "../../src/runtime/ring/index.js";
import { bufferAddress, bufferLength, memorySize, queueOptions, type Format } from "./one-thread.js";
import type { Subject } from "./subject.js";

const size = 256;

/** What both threads hold. */
export interface Shared {
  readonly format: Format;
  readonly size: number;
  readonly memory: SharedArrayBuffer;
  /** See {@link Control}. */
  readonly control: SharedArrayBuffer;
}

/** Words of the control block. */
export const Control = {
  /** Counts runs: the device's thread sleeps until it changes. */
  run: 0,
  /** Items of the run. */
  items: 1,
  /** The run that the device's thread is done with. */
  done: 2,
  /** Bytes that the device's thread allocated in it. */
  allocated: 3,
} as const;

/** Buffers to a device in another thread and back; both sides poll. */
export function twoThreads(format: Format, batch: number): Subject {
  const shared: Shared = {
    format,
    size,
    memory: new SharedArrayBuffer(memorySize(size, 1)),
    control: new SharedArrayBuffer(16),
  };
  const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(shared.memory) }]);
  const driver = createDriverQueue({ ...queueOptions(format, size, memory), notifyDevice: () => {} });
  driver.disableNotifications();
  const control = new Int32Array(shared.control);
  const worker = startThread(new URL("./two-threads-device.ts", import.meta.url), shared);
  // The thread loads its modules with the help of this one, which must not spin meanwhile.
  const ready = new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  let run = 0;

  function exchange(items: number): number {
    let sent = 0;
    let back = 0;
    let bytes = 0;
    while (back < items) {
      let added = 0;
      for (; added < batch && sent < items && driver.free > 0; added++, sent++) {
        driver.begin();
        driver.addWritable(bufferAddress, bufferLength);
        driver.end();
      }
      if (added > 0) driver.publish();
      for (; driver.poll() >= 0; back++) bytes += driver.lastWritten;
      if (driver.broken !== undefined) throw driver.broken;
    }
    return bytes;
  }

  return {
    async run(items) {
      await ready;
      Atomics.store(control, Control.items, items);
      Atomics.store(control, Control.run, ++run);
      Atomics.notify(control, Control.run);
      if (exchange(items) !== items * bufferLength) throw new Error("bytes were lost");
      // The other thread writes down what it allocated, and goes to sleep.
      for (let seen = run - 1; seen !== run; seen = Atomics.load(control, Control.done)) {
        Atomics.wait(control, Control.done, seen, 10_000);
      }
    },
    otherThreads: () => control[Control.allocated] ?? NaN,
    check() {},
    async end() {
      await worker.terminate();
    },
  };
}
