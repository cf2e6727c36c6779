import { SystemCallError } from "../../posix/index.js";
import { VhostUserError } from "../protocol/index.js";

/** How long a back end that is gone is waited for. All times in milliseconds. */
export interface ReconnectOptions {
  /** From the loss on; 60,000 if absent. */
  readonly timeout?: number;
  /** Before the first attempt; twice as long before each further one. 10 if absent. */
  readonly delay?: number;
  /** Longest time between two attempts; 1,000 if absent. */
  readonly longestDelay?: number;
  /** Told when a back end is gone and waited for. */
  readonly onLost?: (error: VhostUserError) => void;
  /** Told when one has taken its place and the driver goes on. */
  readonly onReturn?: () => void;
}

/** When to try again. A back end that comes and goes all the time is as one that does not come. */
export class BackOff {
  readonly #options: Required<Pick<ReconnectOptions, "timeout" | "delay" | "longestDelay">>;
  #until = 0;
  #delay = 0;
  #returned = -Infinity;

  constructor({ timeout = 60_000, delay = 10, longestDelay = 1000 }: ReconnectOptions) {
    this.#options = { timeout, delay, longestDelay };
  }

  /** A back end is gone. */
  lost(): void {
    const { timeout, delay, longestDelay } = this.#options;
    const now = performance.now();
    // One that stood for no longer than the longest pause has not really been there.
    if (now - this.#returned <= longestDelay) return;
    this.#until = now + timeout;
    this.#delay = delay;
  }

  /** Milliseconds before the next attempt; undefined: there is none. */
  next(): number | undefined {
    const left = this.#until - performance.now();
    if (left <= 0) return undefined;
    const delay = Math.min(this.#delay, left);
    this.#delay = Math.min(Math.max(1, 2 * this.#delay), this.#options.longestDelay);
    return delay;
  }

  /** A back end is there, and all is set up. */
  returned(): void {
    this.#returned = performance.now();
  }
}

const absent: readonly string[] = ["ECONNREFUSED", "ENOENT", "EAGAIN", "ECONNRESET", "EPIPE"];

/** Is a back end just not there, so that another attempt may find one? Anything else does not get better by itself. */
export function isAbsence(error: unknown): boolean {
  if (error instanceof SystemCallError) return absent.includes(error.code);
  return error instanceof VhostUserError && (error.rule === "peer-gone" || error.rule === "cut-short");
}

/** A pause that can be cut short. */
export class Pause {
  readonly over: Promise<void>;
  #end: () => void = () => undefined;

  constructor(milliseconds: number) {
    this.over = new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    this.#end();
  }
}
