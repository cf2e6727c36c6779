import { nextTurn } from "../transport/next-turn.js";

/** Looks that are taken with nothing but a turn of the event loop in between, before there are pauses. */
const EAGER_LOOKS = 50;
const PAUSE_MS = 1;

/**
 * Looks again and again, with turns of the event loop in between, until `done` says so. False if that takes longer than
 * `timeout` milliseconds: at least one look is taken, and the last one after the time is over.
 */
export async function pollUntil(timeout: number, done: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + timeout;
  for (let looks = 1; ; looks++) {
    // Before the look, so that a look that takes long is not the last one.
    const late = Date.now() >= deadline;
    if (await done()) return true;
    if (late) return false;
    await new Promise<void>((resolve) => {
      if (looks < EAGER_LOOKS) nextTurn(resolve);
      else setTimeout(resolve, PAUSE_MS);
    });
  }
}
