import { nextTurn } from "../next-turn.js";

/** Words of one direction: the bell, messages sent, words of bits in use, and then a bit for each thing to tell. */
const bellWord = 0;
const messagesWord = 1;
const usedWordsWord = 2;
const firstPendingWord = 16;
/** The change of the configuration, and queues 0 .. 65535. */
const pendingWords = 65_536 / 32 + 1;
const directionWords = 2080;

/** Size of the shared words of a channel, in bytes. */
export const doorbellBytes = 2 * directionWords * 4;

/** What a doorbell can tell, besides the number of a queue. */
export const configChange = -1;

/** Rounds of deliveries before the event loop gets a turn. */
const roundsPerTurn = 16;
/** Longest sleep in milliseconds while the thread is blocked, so that its timers are late by no more than that. */
const longestBlock = 10;

/**
 * How a side waits to be told something.
 * - `async`: Atomics.waitAsync; its event loop goes on meanwhile. Where that is missing it looks every millisecond.
 * - `blocking`: Atomics.wait, which is the quickest to wake. Timers and other events of the thread wait for up to 10 ms.
 *   Not for the main thread of a browser.
 * - `polling`: looks in every turn of the event loop, and keeps a processor busy.
 */
export type Waiting = "async" | "blocking" | "polling";

/** One of the two directions; both sides have a {@link DoorbellSender} for one and a {@link DoorbellReceiver} for the other. */
export type Direction = 0 | 1;

function wordsOf(bells: SharedArrayBuffer, direction: Direction): Int32Array {
  return new Int32Array(bells, direction * directionWords * 4, directionWords);
}

/** Tells the other side something. Allocates nothing. */
export class DoorbellSender {
  readonly #words: Int32Array;
  #usedWords = 0;

  constructor(bells: SharedArrayBuffer, direction: Direction) {
    this.#words = wordsOf(bells, direction);
  }

  /** `what` is the number of a queue, or {@link configChange}. Counts once until the other side has seen it. */
  ring(what: number): void {
    const words = this.#words;
    const place = what + 1;
    const index = place >>> 5;
    const bit = 1 << (place & 31);
    // Before the bit, so that who sees the bell looks far enough.
    if (index >= this.#usedWords) Atomics.store(words, usedWordsWord, (this.#usedWords = index + 1));
    // Sequentially consistent, as are all accesses here. What was stored before, in the rings and the buffers, is
    // visible to whoever sees the bit (release). If the bit is set already, its receiver has not taken it yet; it
    // will, and looks at the queue after that, so that it sees what was stored before this.
    const before = Atomics.or(words, firstPendingWord + index, bit);
    if ((before & bit) !== 0) return;
    this.#wake();
  }

  /** To be called before a message is posted, so that a receiver that blocks its thread lets it in. */
  announceMessage(): void {
    Atomics.add(this.#words, messagesWord, 1);
    this.#wake();
  }

  #wake(): void {
    // The bit first and then the bell: a receiver reads the bell first and then the bits. If it missed the bit, it sleeps
    // on the number that the bell had before, and does not sleep, or is woken.
    Atomics.add(this.#words, bellWord, 1);
    Atomics.notify(this.#words, bellWord);
  }
}

/** Delivers what the other side tells, until it is stopped. */
export class DoorbellReceiver {
  readonly #words: Int32Array;
  readonly #deliver: (what: number) => void;
  readonly #waiting: Waiting;
  #running = true;
  #messages = 0;

  /** `deliver` must not throw. */
  constructor(bells: SharedArrayBuffer, direction: Direction, waiting: Waiting, deliver: (what: number) => void) {
    this.#words = wordsOf(bells, direction);
    this.#waiting = waiting;
    this.#deliver = deliver;
  }

  /** A message has arrived. */
  messageArrived(): void {
    this.#messages = (this.#messages + 1) | 0;
  }

  /** Ends the loop of {@link run}, also while it sleeps. */
  stop(): void {
    this.#running = false;
    Atomics.add(this.#words, bellWord, 1);
    Atomics.notify(this.#words, bellWord);
  }

  /** Delivers from now on. Done when stopped. */
  async run(): Promise<void> {
    const words = this.#words;
    for (let rounds = 1; this.#running; rounds++) {
      // Acquire, and before the bits are looked at: see `#wake` of the sender.
      const bell = Atomics.load(words, bellWord);
      const any = this.#takeAll();
      if (any && rounds % roundsPerTurn !== 0) continue;
      if (any) await turn();
      // When it was stopped meanwhile, the bell has another number.
      else await this.#sleep(bell);
    }
  }

  /** Delivers all that is pending. False: there was nothing. */
  #takeAll(): boolean {
    const words = this.#words;
    let any = false;
    const used = Math.min(Atomics.load(words, usedWordsWord), pendingWords);
    for (let index = 0; index < used; index++) {
      const word = firstPendingWord + index;
      // Plain: a bit that is set after this look comes with a new number of the bell, which is looked at before sleeping.
      if (words[word] === 0) continue;
      // Acquire: what the other side stored before it set the bit is seen. Taken before it is acted upon, so that what
      // is told meanwhile is told again.
      let bits = Atomics.exchange(words, word, 0);
      while (bits !== 0 && this.#running) {
        any = true;
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        this.#deliver(index * 32 + bit - 1);
      }
    }
    return any;
  }

  async #sleep(bell: number): Promise<void> {
    switch (this.#waiting) {
      case "polling":
        return turn();
      case "blocking":
        await turn();
        // A message that was announced and is not there yet needs the event loop.
        if (Atomics.load(this.#words, messagesWord) === this.#messages) {
          Atomics.wait(this.#words, bellWord, bell, longestBlock);
        }
        return;
      case "async": {
        const wait = waitAsync;
        if (wait === undefined) return new Promise((resolve) => setTimeout(resolve, 1));
        const result = wait(this.#words, bellWord, bell);
        if (result.async) await result.value;
      }
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
) => { readonly async: false } | { readonly async: true; readonly value: Promise<string> };

// Newer than the library that the types know, and missing in older browsers.
const waitAsync = Reflect.get(Atomics, "waitAsync") as WaitAsync | undefined;
