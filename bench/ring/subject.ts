/** What is measured: buffers on their way through queues. */
export interface Subject {
  /** Sends so many items, a multiple of the batch, and has them back. */
  run(items: number): void | Promise<void>;
  /** Bytes that other threads have allocated during the last run; absent: there are none. */
  otherThreads?(): number;
  /** Throws if what was measured cannot have been what it says. */
  check(): void;
  end(): void | Promise<void>;
}
