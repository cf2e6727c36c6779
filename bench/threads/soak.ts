import {
  VirtioDriver,
  type DriverQueue,
  type DriverQueueContext,
  type DriverQueueHandler,
  type DriverQueuePlan,
} from "virtio-gen/runtime";
import { connectThread, createThreadChannel, type Waiting } from "virtio-gen/runtime/threads";
import { startThread } from "../../examples/shared/thread.js";

export interface SoakResult {
  /** Messages that went to the device and came back. */
  readonly messages: number;
  readonly seconds: number;
  /** How often the driver was told of used buffers: at most as often as one of the sides can have slept. */
  readonly notifications: number;
}

/** No notification and no buffer for so long, with buffers in flight: one was lost. */
const longestSilence = 20_000;

/** Sends numbered messages in batches of random sizes and waits until it is told of their return. */
class Sender implements DriverQueueHandler {
  readonly #messages: number;
  readonly #done: () => void;
  readonly #fail: (error: Error) => void;
  readonly #ready: number[] = [];
  #queue: DriverQueue | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #start = 0;
  #places: number[] = [];
  #sent = 0;
  #random = 1;
  back = 0;
  notifications = 0;

  constructor(messages: number, done: () => void, fail: (error: Error) => void) {
    this.#messages = messages;
    this.#done = done;
    this.#fail = fail;
  }

  start({ queue, memory, allocator }: DriverQueueContext): void {
    this.#queue = queue;
    const address = allocator.allocate(16 * queue.size, 16);
    const region = memory.locate(address, 16 * queue.size);
    if (region === undefined) throw new Error("the allocator gives out what is not memory");
    this.#view = region.view;
    this.#start = region.start;
    this.#places = new Array<number>(queue.size).fill(0);
    // Two descriptors a message: half of the queue, without indirect tables.
    for (let place = 0; place < queue.size / 2; place++) this.#ready.push(address + 16 * place);
  }
  /** After DRIVER_OK. */
  begin(): void {
    this.#send();
    this.used();
  }
  used(): boolean {
    this.notifications++;
    const queue = this.#queue;
    if (queue === undefined) return false;
    do {
      for (;;) {
        const token = queue.poll();
        if (token < 0) break;
        const place = this.#places[token] ?? 0;
        const number = this.#view.getUint32(place + 8 - this.#start, true);
        const sent = this.#view.getUint32(place - this.#start, true);
        if (number !== (sent + 1) >>> 0) this.#fail(new Error(`message ${sent} comes back as ${number}`));
        this.#ready.push(place);
        this.back++;
      }
      this.#send();
    } while (queue.enableNotifications());
    if (this.back === this.#messages) this.#done();
    return false;
  }
  fail(reason: Error): void {
    this.#fail(reason);
  }
  stop(): void {
    this.#queue = undefined;
  }
  // The soak is never suspended.
  pause(): void {}
  resume(): void {}

  #send(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    // Mostly few, so that both sides run dry and sleep again and again.
    for (let left = 1 + (this.#random >>> 24); left > 0 && this.#sent < this.#messages; left--) {
      const place = this.#ready.pop();
      if (place === undefined) break;
      this.#view.setUint32(place - this.#start, this.#sent, true);
      queue.begin();
      queue.addReadable(place, 4);
      queue.addWritable(place + 8, 4);
      const token = queue.end();
      if (token < 0) throw new Error("no room for a buffer that there is room for");
      this.#places[token] = place;
      this.#sent++;
    }
    queue.kick();
  }
}

class SoakDriver extends VirtioDriver<undefined> {
  readonly #sender: Sender;

  constructor(transport: ConstructorParameters<typeof VirtioDriver>[1], sender: Sender, eventIdx: boolean) {
    const definition = {
      name: "soak",
      id: transport.deviceId,
      features: {},
      requires: [],
      configSize: 0,
      configAccesses: [],
    };
    super(definition, transport, { withhold: eventIdx ? [] : ["EVENT_IDX"] });
    this.#sender = sender;
  }
  run(): Promise<void> {
    return this.initialize([]);
  }
  protected override decodeConfig(): undefined {
    return undefined;
  }
  protected override queuePlan(): readonly DriverQueuePlan[] {
    return [{ name: "echo", index: 0, position: 0, handler: this.#sender }];
  }
}

/**
 * Sends so many messages to a device in another thread, each of which comes back changed. Rejects when one is lost, or
 * changed wrongly, or when nothing happens any more.
 */
export async function soak(messages: number, waiting: Waiting, eventIdx: boolean): Promise<SoakResult> {
  const channel = createThreadChannel({ memorySize: 1 << 20 });
  const worker = startThread(new URL("./soak-device.ts", import.meta.url), waiting);
  worker.postMessage(channel.device, [channel.device.port]);
  let watch: ReturnType<typeof setInterval> | undefined;
  let driver: SoakDriver | undefined;
  try {
    const transport = await connectThread(channel.driver, { waiting });
    const begin = performance.now();
    const notifications = await new Promise<number>((resolve, reject) => {
      worker.once("error", reject);
      const sender = new Sender(messages, () => resolve(sender.notifications), reject);
      let before = -1;
      watch = setInterval(() => {
        if (sender.back === before) reject(new Error(`nothing happens any more after ${before} messages`));
        before = sender.back;
      }, longestSilence);
      driver = new SoakDriver(transport, sender, eventIdx);
      driver.run().then(() => sender.begin(), reject);
    });
    return { messages, seconds: (performance.now() - begin) / 1000, notifications };
  } finally {
    clearInterval(watch);
    await driver?.stop();
    await worker.terminate();
  }
}
