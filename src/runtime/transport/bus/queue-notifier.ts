import { unattended } from "./one-after-the-other.js";

/** How a queue in use is notified. */
interface Bell {
  /** Where the notification is written. */
  readonly place: number;
  /** What stands in its lower half: the queue's index, or what the device wants instead. */
  readonly value: number;
  /** The upper half of the last one, with NOTIFICATION_DATA (2.9). */
  next: number;
}

/** The queues that a driver has enabled behind registers, and the notifications about them. */
export class QueueNotifier {
  readonly #bells = new Map<number, Bell>();
  readonly #ring: (place: number, value: number) => void | Promise<void>;
  readonly #onError: ((error: Error) => void) | undefined;
  /** NOTIFICATION_DATA was negotiated. */
  hasData = false;

  /**
   * @param ring writes a notification
   * @param onError told when that fails, as nobody waits for it
   */
  constructor(
    ring: (place: number, value: number) => void | Promise<void>,
    onError: ((error: Error) => void) | undefined,
  ) {
    this.#ring = ring;
    this.#onError = onError;
  }

  /** A queue is enabled. */
  add(index: number, place: number, value: number): void {
    this.#bells.set(index, { place, value, next: 0 });
  }
  /** A queue is being reset: it is not notified any more, nor are its interrupts of interest. */
  delete(index: number): void {
    this.#bells.delete(index);
  }
  /** The device was reset. */
  clear(): void {
    this.#bells.clear();
  }
  has(index: number): boolean {
    return this.#bells.has(index);
  }
  /** Indexes of the queues in use. */
  indexes(): IterableIterator<number> {
    return this.#bells.keys();
  }

  /** Sends an available buffer notification; nothing happens for a queue that is not in use. */
  notify(index: number, next: number): void {
    const bell = this.#bells.get(index);
    if (bell === undefined) return;
    bell.next = next;
    this.#send(bell);
  }

  /** As if both sides had notified each other about every queue: for hosts that may lose a notification. */
  nudge(used: (index: number) => void): void {
    for (const [index, bell] of this.#bells) {
      this.#send(bell);
      used(index);
    }
  }

  #send({ place, value, next }: Bell): void {
    const whole = this.hasData ? value + next * 0x1_0000 : value;
    unattended(() => this.#ring(place, whole), this.#onError);
  }
}
