import { expect } from "vitest";
import type { JournalEntry } from "./slow-disk-process.js";

/** Follows writes through the lives of a back end: what the guest was told of, and what it was not. */
export class WriteLedger {
  /** Writes that the guest was told of: an answer is no use to it before it is published in the ring. */
  readonly published = new Set<string>();
  /** Writes that were begun and that the guest was not told of. */
  #outstanding = new Set<string>();
  #read = 0;

  /** Begins behind what is in the journal now. */
  constructor(journal: readonly JournalEntry[]) {
    this.#read = journal.length;
  }

  get outstanding(): number {
    return this.#outstanding.size;
  }

  /**
   * A life is over, and the next one has or has not begun yet.
   * @param published For each queue, how many used buffers the ring has more than before this life.
   */
  close(journal: readonly JournalEntry[], published: readonly number[]): void {
    const entries = journal.slice(this.#read);
    this.#read = journal.length;
    const begun = new Set<string>();
    for (const { word, type, write } of entries) {
      if (word !== "begun" || type !== "OUT") continue;
      expect(begun.has(write), `${write} begun twice in one life`).toBe(false);
      expect(this.published.has(write), `${write} begun again after its answer was published`).toBe(false);
      begun.add(write);
    }
    // Nothing is lost: what was in flight is worked on again.
    for (const write of this.#outstanding) expect(begun.has(write), `${write} is lost`).toBe(true);
    this.#outstanding = begun;
    published.forEach((count, queue) => {
      // Answers are published in their order; the last ones may not have been.
      const answers = entries.filter((entry) => entry.word === "answered" && entry.queue === queue);
      expect(answers.length).toBeGreaterThanOrEqual(count);
      for (const { write, type } of answers.slice(0, count)) {
        if (type !== "OUT") continue;
        expect(this.published.has(write), `${write} answered twice`).toBe(false);
        this.published.add(write);
        this.#outstanding.delete(write);
      }
    });
  }
}

/**
 * How many answers of a life were published, where the ring has no index that says so: the ones that the next life does not
 * begin again. Those must be the first ones.
 */
export function publishedBefore(life: readonly JournalEntry[], next: readonly JournalEntry[]): number {
  const again = new Set(next.flatMap(({ word, write }) => (word === "begun" ? [write] : [])));
  const answers = life.filter(({ word }) => word === "answered");
  const first = answers.findIndex(({ write }) => again.has(write));
  const published = first < 0 ? answers.length : first;
  for (const { write } of answers.slice(published)) expect(again.has(write), `${write} is lost`).toBe(true);
  return published;
}
