import { expect } from "vitest";

/** Waits until `done` says so; fails after `seconds`. */
export async function until(done: () => boolean, seconds = 60): Promise<void> {
  const end = Date.now() + 1000 * seconds;
  while (!done() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done()).toBe(true);
}
