import { QueueWorker, type QueueWorkerEvents, type QueueWorkerOptions } from "./queue-worker.js";

/** The Workers of a served device. One that was lost is started anew for the next front end. */
export class WorkerPool {
  /** Which Worker works on a queue; undefined: the main thread does. */
  readonly of: (queue: number) => number | undefined;
  readonly #count: number;
  readonly #options: QueueWorkerOptions;
  #workers: (QueueWorker | undefined)[] = [];
  #starting: Promise<void> | undefined;

  constructor(count: number, of: ((queue: number) => number | undefined) | undefined, options: QueueWorkerOptions) {
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(`the number of Workers is a whole number from 1 on, not ${String(count)}`);
    }
    this.#count = count;
    this.of = of ?? ((queue) => queue % count);
    this.#options = options;
    this.#starting = undefined;
  }

  /** All of them, those that are gone started anew. @throws VhostUserError (`worker-gone`) when one does not get ready. */
  async ready(): Promise<readonly QueueWorker[]> {
    const all = this.#startAll();
    this.#starting = all.then(
      () => undefined,
      () => undefined,
    );
    return await all;
  }

  async #startAll(): Promise<readonly QueueWorker[]> {
    const starting = Array.from({ length: this.#count }, async (_, number) => {
      const known = this.#workers[number];
      return known?.isAlive === true ? known : await QueueWorker.start(number, this.#options);
    });
    const started = await Promise.allSettled(starting);
    this.#workers = started.map((one) => (one.status === "fulfilled" ? one.value : undefined));
    return started.map((one) => {
      if (one.status === "fulfilled") return one.value;
      throw one.reason;
    });
  }

  /** Who is told what they tell. */
  listen(events: QueueWorkerEvents | undefined): void {
    for (const worker of this.#workers) if (worker !== undefined) worker.events = events;
  }

  async end(): Promise<void> {
    await this.#starting;
    await Promise.all(this.#workers.map(async (worker) => await worker?.end()));
  }
}
