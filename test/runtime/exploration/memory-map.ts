import type { Scenario } from "./ring-scenario.js";
import type { Access } from "./steps/stepped-memory.js";

export const Side = { driver: 0, device: 1 } as const;
export type Side = (typeof Side)[keyof typeof Side];

/** Where things are in the shared memory. */
export const Place = { descriptor: 0, driver: 0x40, device: 0x60, control: 0x90, buffers: 0xa0, tables: 0xe0 } as const;
/** Room for 4 buffers, and for 4 indirect tables of 2 entries; the queue has at most 4 entries. */
export const memoryBytes = 0x160;
/** Words of `control`: what the driver asks of the device, and the answer. */
export const Control = { request: 0, answer: 1 } as const;
/** The driver asks for a reset with 1, and enables the queue with 2 + its size. */
export const RESET = 1;
export const ENABLE = 2;
/** All buffers came back: the device's program ends. */
export const FINISH = 1000;

/** What a part of the shared memory is for. */
export type Part = "asking" | "ring" | "control" | "data";

/** Where the effects of notifications are counted: behind all memory. */
export function bellOf(side: Side): number {
  return memoryBytes + side;
}

export function partOf({ at }: Access, { features, size }: Scenario): Part {
  if (at >= Place.tables) return "ring";
  if (at >= Place.buffers) return "data";
  if (at >= Place.control) return "control";
  if (at < Place.driver) return "ring";
  if (features.packed) return "asking";
  if (features.eventIdx) {
    return at === Place.driver + 4 + 2 * size || at === Place.device + 4 + 8 * size ? "asking" : "ring";
  }
  return at === Place.driver || at === Place.device ? "asking" : "ring";
}

export function placeOf(at: number): string {
  if (at >= Place.tables) return `indirect tables + ${at - Place.tables}`;
  if (at >= Place.buffers) return `data + ${at - Place.buffers}`;
  if (at >= Place.control) return `control + ${at - Place.control}`;
  if (at >= Place.device) return `device area + ${at - Place.device}`;
  if (at >= Place.driver) return `driver area + ${at - Place.driver}`;
  return `descriptor area + ${at}`;
}
