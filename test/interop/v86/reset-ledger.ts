import type { TraceEvent, VirtioDevice } from "../../../src/runtime/index.js";

/** What became of the buffers of a queue. */
export class QueueLedger {
  taken = 0;
  completed = 0;
  /** Taken and not given back when the queue was reset: the driver takes them itself. */
  reclaimed = 0;
  /** Taken once more, because guest memory moved or the device was reset. */
  retaken = 0;
  /** Completions that came too late, and were refused. */
  stale = 0;
  readonly inFlight = new Set<number>();

  /** The buffers in flight are no longer the device's. Returns how many they were. */
  forget(): number {
    const { size } = this.inFlight;
    this.inFlight.clear();
    return size;
  }
}

/**
 * Keeps book of a device's queues by what its transport tells: each buffer that was taken is given back once or reclaimed by
 * a reset, and nothing happens on a queue from the start of its reset until it is enabled again.
 */
export class ResetLedger {
  readonly device: VirtioDevice;
  /** As: `1 started`, `1 complete`. */
  readonly resets: string[] = [];
  /** What must not be. */
  readonly breaches: string[] = [];
  /** How often the driver wrote status, features or configuration. */
  writes = 0;
  readonly #queues = new Map<number, QueueLedger>();

  constructor(device: VirtioDevice) {
    this.device = device;
    const moved = device.memoryMoved.bind(device);
    device.memoryMoved = () => {
      this.#forget();
      moved();
    };
  }

  queue(index: number): QueueLedger {
    let queue = this.#queues.get(index);
    if (queue === undefined) this.#queues.set(index, (queue = new QueueLedger()));
    return queue;
  }

  note(event: TraceEvent): void {
    switch (event.kind) {
      case "queue-reset": {
        this.resets.push(`${event.queue} ${event.state}`);
        const queue = this.queue(event.queue);
        if (event.state === "started") queue.reclaimed += queue.forget();
        break;
      }
      case "chain": {
        const queue = this.queue(event.queue);
        this.#expectInUse(event.queue, "takes a buffer");
        if (queue.inFlight.has(event.slot)) this.breaches.push(`queue ${event.queue} takes a buffer twice`);
        queue.inFlight.add(event.slot);
        queue.taken++;
        break;
      }
      case "completion": {
        const queue = this.queue(event.queue);
        if (event.outcome === "stale") {
          queue.stale++;
          break;
        }
        this.#expectInUse(event.queue, "gives a buffer back");
        if (!queue.inFlight.delete(event.slot)) this.breaches.push(`queue ${event.queue} gives back what it has not`);
        queue.completed++;
        break;
      }
      case "interrupt":
        this.#expectInUse(event.queue, "interrupts");
        break;
      case "status":
        if (event.written === 0) this.#forget();
        this.writes++;
        break;
      case "features":
      case "config-write":
        this.writes++;
        break;
      default:
    }
  }

  #forget(): void {
    for (const queue of this.#queues.values()) queue.retaken += queue.forget();
  }

  #expectInUse(index: number, what: string): void {
    const queue = this.device.queue(index);
    if (queue?.enabled !== true || queue.resetting) this.breaches.push(`queue ${index} ${what}, and is not in use`);
  }
}
