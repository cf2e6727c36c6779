import { parentPort, workerData } from "node:worker_threads";
import { GuestMemory } from "../../src/runtime/memory/index.js";
import { createDeviceQueue, type DeviceQueue } from "../../src/runtime/ring/index.js";
import { queueOptions } from "./one-thread.js";
import { Control, type Shared } from "./two-threads.js";

const { format, size, memory: bytes, control: words } = workerData as Shared;
const memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(bytes) }]);
const device = createDeviceQueue({ ...queueOptions(format, size, memory), notifyDriver: () => {} });
device.disableNotifications();
const control = new Int32Array(words);

function serve(queue: DeviceQueue, items: number): void {
  for (let served = 0; served < items;) {
    const before = served;
    for (let chain = queue.take(); chain !== undefined; chain = queue.take()) {
      queue.complete(chain, chain.writableLength);
      served++;
    }
    if (served !== before) queue.publish();
    if (queue.broken !== undefined) throw queue.broken;
  }
}

parentPort?.postMessage("ready");
for (let run = 0; ;) {
  Atomics.wait(control, Control.run, run);
  run = Atomics.load(control, Control.run);
  const before = process.memoryUsage().heapUsed;
  serve(device, Atomics.load(control, Control.items));
  Atomics.store(control, Control.allocated, Math.max(0, process.memoryUsage().heapUsed - before));
  Atomics.store(control, Control.done, run);
  Atomics.notify(control, Control.done);
}
