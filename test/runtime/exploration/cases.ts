import type { RingFeatures } from "../../../src/runtime/ring/index.js";
import type { Scenario } from "./ring-scenario.js";

export interface Named {
  readonly name: string;
  readonly scenario: Scenario;
}

const formats = [
  { name: "split", packed: false },
  { name: "packed", packed: true },
] as const;
const waitings = [
  { name: "flags", eventIdx: false, waiting: "notified" },
  { name: "event_idx", eventIdx: true, waiting: "notified" },
  { name: "polling", eventIdx: false, waiting: "polling" },
] as const;

type Shape = Omit<Scenario, "features" | "waiting">;

/** One after the other; several with one index write; more than the queue has room for; a reset in between. */
const shapes: Readonly<Record<string, Shape>> = {
  "2 buffers one by one": { size: 2, buffers: 2, batch: 1, completing: "at once" },
  "4 buffers in pairs": { size: 4, buffers: 4, batch: 2, completing: "together" },
  "3 buffers through 2 entries": { size: 2, buffers: 3, batch: 1, completing: "at once" },
  "a reset before the first is used": {
    size: 4,
    buffers: 3,
    batch: 2,
    completing: "together",
    reset: { afterUsed: 0, size: 2 },
  },
  "a reset after the first": { size: 4, buffers: 3, batch: 2, completing: "at once", reset: { afterUsed: 1, size: 2 } },
};

/** Each format with each way of waiting and each shape; and the other features once each. */
export const cases: readonly Named[] = formats.flatMap(({ name: format, packed }) => [
  ...waitings.flatMap(({ name, eventIdx, waiting }) =>
    Object.entries(shapes).map(([shape, rest]): Named => {
      const features: RingFeatures = { packed, eventIdx, inOrder: false, indirect: false };
      return { name: `${format}, ${name}: ${shape}`, scenario: { ...rest, features, waiting } };
    }),
  ),
  ...(["inOrder", "indirect"] as const).map((feature): Named => {
    const features = { packed, eventIdx: true, inOrder: false, indirect: false, [feature]: true };
    const shape = { size: 2, buffers: 3, batch: 2, completing: "together", waiting: "notified" } as const;
    return {
      name: `${format}, event_idx and ${feature}: 3 buffers through 2 entries`,
      scenario: { ...shape, features },
    };
  }),
]);
