import { GuestMemory } from "../../../src/runtime/memory/index.js";

/** A hash of 53 bits that is built up number by number: two of 32 bits, side by side. */
export class StateHash {
  #high = 0x811c9dc5;
  #low = 0x9747b28c;

  reset(): void {
    this.#high = 0x811c9dc5;
    this.#low = 0x9747b28c;
  }
  add(value: number): void {
    const word = value | 0;
    // Numbers above 32 bits differ in their upper part as well.
    const upper = value === word || value === word >>> 0 ? 0 : Math.floor(value / 2 ** 32) | 0;
    this.#high = Math.imul(this.#high ^ word ^ Math.imul(upper, 31), 0x01000193);
    this.#high ^= this.#high >>> 15;
    this.#low = Math.imul((this.#low ^ word) + upper, 0x85ebca6b);
    this.#low ^= this.#low >>> 13;
    this.#low = Math.imul(this.#low, 0xc2b2ae35) ^ (this.#low >>> 16);
  }
  get value(): number {
    return (this.#high >>> 0) * 2 ** 21 + (this.#low >>> 11);
  }
}

/** An object of the turned sources, which can tell its private fields. */
interface Telling {
  $fields(): readonly unknown[];
}
function isTelling(object: object): object is Telling {
  return "$fields" in object && typeof object.$fields === "function";
}

/** Adds all the state that can be reached from a value, but for functions and shared memory. */
export function addState(hash: StateHash, value: unknown, shared: ArrayBufferLike): void {
  const known = new Map<object, number>();
  const add = (what: unknown): void => {
    if (typeof what === "number") hash.add(what);
    else if (typeof what === "boolean") hash.add(what ? -11 : -12);
    else if (typeof what === "object" && what !== null) addObject(what);
    else hash.add(-13);
  };
  const addObject = (object: object): void => {
    const before = known.get(object);
    if (before !== undefined) {
      hash.add(before);
      return;
    }
    known.set(object, known.size);
    if (object instanceof GuestMemory) return;
    if (ArrayBuffer.isView(object)) {
      if (object.buffer !== shared && "length" in object) for (const element of object as Uint8Array) hash.add(element);
      return;
    }
    if (object instanceof Map) for (const [key, element] of object) [key, element].forEach(add);
    else for (const element of Object.values(object)) add(element);
    if (isTelling(object)) for (const element of object.$fields()) add(element);
  };
  add(value);
}
