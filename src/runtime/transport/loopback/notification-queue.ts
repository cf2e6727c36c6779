import { nextTurn } from "../next-turn.js";

/** Rounds of delivery in microtasks before the event loop gets a turn. */
const ROUNDS_PER_TURN = 64;

const FORGOTTEN = Number.MIN_SAFE_INTEGER;

/**
 * Delivers notifications later, in the order of their first being sent; one that is sent again before it is delivered
 * counts once. Never calls anybody from inside of `send`. A delivery may send further notifications: they go into the
 * next round, and after some rounds the event loop gets a turn, so that two sides that keep each other busy starve
 * nobody.
 */
export class NotificationQueue {
  readonly #deliver: (notification: number) => void;
  /** Notifications to deliver in the next round, and whether each of them is among these. */
  #next: number[] = [];
  #current: number[] = [];
  readonly #pending = new Set<number>();
  #scheduled = false;
  #rounds = 0;

  constructor(deliver: (notification: number) => void) {
    this.#deliver = deliver;
  }

  send(notification: number): void {
    if (this.#pending.has(notification)) return;
    this.#pending.add(notification);
    this.#next.push(notification);
    this.#schedule();
  }

  /** Forgets a notification that has not been delivered. */
  drop(notification: number): void {
    this.#pending.delete(notification);
    forget(this.#next, notification);
    forget(this.#current, notification);
  }
  /** Forgets all notifications that have not been delivered. */
  clear(): void {
    this.#pending.clear();
    this.#next.length = 0;
    this.#current.length = 0;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    if (this.#rounds < ROUNDS_PER_TURN) {
      queueMicrotask(this.#round);
    } else {
      this.#rounds = 0;
      nextTurn(this.#round);
    }
  }

  readonly #round = (): void => {
    this.#scheduled = false;
    this.#rounds++;
    const batch = this.#next;
    this.#next = this.#current;
    this.#current = batch;
    this.#pending.clear();
    try {
      for (let i = 0; i < batch.length; i++) {
        const notification = batch[i];
        if (notification !== undefined && notification !== FORGOTTEN) this.#deliver(notification);
      }
    } finally {
      batch.length = 0;
    }
  };
}

function forget(list: number[], notification: number): void {
  const index = list.indexOf(notification);
  // The list may be on its way: its entries keep their places.
  if (index >= 0) list[index] = FORGOTTEN;
}
