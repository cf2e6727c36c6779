import { expect } from "vitest";

/** Lets the event loop go on until something has happened; fails if it does not. */
export async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !done() && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 0));
  expect(done()).toBe(true);
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (data: Uint8Array): string => new TextDecoder().decode(data);
