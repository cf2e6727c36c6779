/**
 * Which indexes queues have when an optional one in front of them is absent. `specification`: the index that the device's
 * chapter gives, whatever else there is. `linux`: absent queues are skipped and the others numbered contiguously, in the
 * order of their indexes, as Linux's drivers ask for them on PCI, MMIO and channel I/O. Both sides have to use the same one.
 */
export type QueueNumbering = "specification" | "linux";

/** The queues with the indexes that they have under this numbering. */
export function numberedQueues<Plan extends { readonly index: number }>(
  plans: readonly Plan[],
  numbering: QueueNumbering,
): readonly Plan[] {
  if (numbering === "specification") return plans;
  return [...plans].sort((left, right) => left.index - right.index).map((plan, index) => ({ ...plan, index }));
}
