import type { DeviceQueueControl, VirtioDevice } from "../../../device/index.js";
import { GuestMemory } from "../../../memory/index.js";
import { ringFeatures } from "../../../negotiation/ring-features.js";
import { createDriverQueue, type DriverQueue } from "../../../ring/index.js";

const QUEUE_SIZE = 4;
// Where things are in the memory of the queue.
const DESCRIPTORS = 0x000;
const DRIVER_AREA = 0x100;
const DEVICE_AREA = 0x200;
const READABLE = 0x400;
const WRITABLE = 0xc00;
const MEMORY_SIZE = 0x1000;

/** Most bytes of a request, and of its answer. */
const MOST_READABLE = WRITABLE - READABLE;
const MOST_WRITABLE = MEMORY_SIZE - WRITABLE;

/**
 * A queue of the device whose driver is the front end's, so that its requests come as messages: they are put into a ring in
 * memory of this process, and the device serves them there like those of any other queue. One request at a time.
 */
export class OwnQueue {
  readonly index: number;
  readonly #device: VirtioDevice;
  readonly #bytes = new Uint8Array(MEMORY_SIZE);
  readonly #memory = new GuestMemory([{ start: 0, bytes: this.#bytes }]);
  readonly #addresses = { size: QUEUE_SIZE, descriptor: DESCRIPTORS, driver: DRIVER_AREA, device: DEVICE_AREA };
  #control: DeviceQueueControl | undefined;
  #queue: DriverQueue | undefined;
  #answer: ((written: number) => void) | undefined;

  constructor(device: VirtioDevice, index: number) {
    this.#device = device;
    this.index = index;
    this.#control = undefined;
    this.#queue = undefined;
    this.#answer = undefined;
  }

  /**
   * Has the device serve a request. Returns what it wrote; undefined when it cannot be asked (it is not running, the driver
   * has the queue itself, or an earlier request is still with it), was reset, or did not answer in time.
   * @param patience in milliseconds
   */
  async submit(readable: Uint8Array, writableBytes: number, patience: number): Promise<Uint8Array | undefined> {
    if (readable.length > MOST_READABLE || writableBytes > MOST_WRITABLE) return undefined;
    const queue = this.#ready();
    if (queue === undefined || queue.inFlight().length > 0) return undefined;
    this.#bytes.set(readable, READABLE);
    this.#bytes.fill(0, WRITABLE);
    queue.begin();
    queue.addReadable(READABLE, readable.length);
    queue.addWritable(WRITABLE, writableBytes);
    queue.end();
    let timer: NodeJS.Timeout | undefined;
    const written = await new Promise<number | undefined>((resolve) => {
      this.#answer = resolve;
      timer = setTimeout(() => resolve(undefined), patience);
      queue.kick();
      this.used();
    });
    clearTimeout(timer);
    this.#answer = undefined;
    // A key is nobody's business any more.
    this.#bytes.fill(0, READABLE, WRITABLE);
    return written === undefined ? undefined : this.#bytes.slice(WRITABLE, WRITABLE + written);
  }

  /** The device has been asked something since it was reset. */
  get isInUse(): boolean {
    return this.#control !== undefined && this.#control === this.#device.queue(this.index);
  }

  /** The device may have used a buffer. */
  used(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    do {
      while (queue.poll() >= 0) this.#answer?.(queue.lastWritten);
    } while (queue.enableNotifications());
  }

  /** The queue, in front of the device; undefined if that cannot be. */
  #ready(): DriverQueue | undefined {
    const control = this.#device.queue(this.index);
    // After a reset of the device, or when the driver has taken the queue, the old one leads nowhere.
    if (control?.enabled === true && control === this.#control && control.addresses === this.#addresses) {
      return this.#queue;
    }
    this.#queue = undefined;
    this.#control = undefined;
    if (control === undefined || control.enabled || !this.#device.live) return undefined;
    this.#queue = createDriverQueue({
      index: this.index,
      memory: this.#memory,
      addresses: this.#addresses,
      features: ringFeatures(this.#device.negotiated),
      notifyDevice: () => control.notify(),
      onBroken: () => (this.#queue = undefined),
    });
    if (!control.configure(this.#addresses) || !control.enableIn(this.#memory)) {
      this.#queue = undefined;
      return undefined;
    }
    this.#control = control;
    return this.#queue;
  }
}
