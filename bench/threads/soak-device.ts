/** The device's thread of the soak: adds 1 to the number in each buffer, and wants the numbers in turn. */
import { parentPort, workerData } from "node:worker_threads";
import { VirtioDevice, type DeviceQueue, type QueueHandler, type QueuePlan } from "virtio-gen/runtime";
import { serveThread, type ThreadEnd, type Waiting } from "virtio-gen/runtime/threads";

/** An id that no device of the specification has. */
export const soakDeviceId = 4000;

class Echo implements QueueHandler {
  #queue: DeviceQueue | undefined;
  #expected = 0;
  readonly #bytes = new Uint8Array(4);
  readonly #view = new DataView(this.#bytes.buffer);

  start(queue: DeviceQueue): void {
    this.#queue = queue;
  }
  notified(): boolean {
    const queue = this.#queue;
    if (queue === undefined) return false;
    let left = queue.size;
    for (; left > 0; left--) {
      const chain = queue.take();
      if (chain === undefined) break;
      chain.readable.read(this.#bytes);
      const number = this.#view.getUint32(0, true);
      if (number !== this.#expected) throw new Error(`message ${number} came instead of ${this.#expected}`);
      this.#expected = (number + 1) >>> 0;
      this.#view.setUint32(0, this.#expected, true);
      chain.writable.write(this.#bytes);
      queue.complete(chain, 4);
    }
    queue.flush();
    return left === 0;
  }
  stop(): void {
    this.#queue = undefined;
  }
  // The soak is never suspended.
  pause(): void {}
  resume(): void {}
}

class SoakDevice extends VirtioDevice {
  constructor() {
    const definition = { name: "soak", id: soakDeviceId, features: {}, requires: [], offers: [], configSize: 0 };
    super({ ...definition, writableConfig: [] }, [], new Uint8Array(0));
    this.onProtocolError = (error) => {
      throw error;
    };
  }
  protected override queuePlan(): readonly QueuePlan[] {
    return [{ name: "echo", index: 0, position: 0, handler: new Echo() }];
  }
}

parentPort?.once("message", (end: ThreadEnd) => {
  serveThread(new SoakDevice(), end, { waiting: workerData as Waiting });
});
