import type { Part, Side } from "./memory-map.js";
import type { Mutation } from "./ring-run.js";
import type { Access, Steps } from "./steps/stepped-memory.js";

/** Holds what `which` says back until `side` has made its next access that `until` says. */
function late(
  side: Side,
  which: (access: Access, part: Part) => boolean,
  until: (access: Access, part: Part) => boolean,
): Mutation {
  const held: (() => Steps<number>)[] = [];
  return function* (who, access, step, part) {
    if (who !== side) return yield* step(access);
    if (which(access, part)) {
      held.push(() => step(access));
      return access.value ?? 0;
    }
    const value = yield* step(access);
    if (until(access, part)) for (const make of held.splice(0)) yield* make();
    return value;
  };
}

const isWrite = (access: Access) => access.kind === "write";
const any = () => true;

/** The side looks whether there is something before it asks to be notified, instead of after. */
export const looksBeforeAsking = (side: Side): Mutation =>
  late(side, (access, part) => isWrite(access) && access.atomic && part === "asking", any);

/** The side looks whether it was asked to notify before it publishes, instead of after. */
export const looksBeforePublishing = (side: Side): Mutation =>
  late(
    side,
    (access, part) => isWrite(access) && access.atomic && part === "ring",
    (_, part) => part === "asking",
  );

/** The side publishes before it has written what it publishes. */
export const publishesTooEarly = (side: Side): Mutation =>
  late(
    side,
    (access, part) => isWrite(access) && !access.atomic && part === "ring",
    (access, part) => isWrite(access) && part === "ring",
  );

/** The side never asks to be notified. */
export const neverAsks = (side: Side): Mutation =>
  function* (who, access, step, part) {
    if (who === side && isWrite(access) && access.atomic && part === "asking") return access.value ?? 0;
    return yield* step(access);
  };

/** The side makes its stores without Atomics. For memory that is weakly ordered. */
export const storesPlainly = (side: Side, which: "asking" | "ring"): Mutation =>
  function* (who, access, step, part) {
    const plainly = who === side && isWrite(access) && part === which;
    return yield* step(plainly ? { ...access, atomic: false } : access);
  };
