import type { CheckResult, Verdict } from "./report.js";

const DEVICE_CLAUSE = "2.6.1.1";
const ENABLE_CLAUSE = "2.6.1.2";
/** Where the registers are described. */
const REGISTERS = { pci: "4.1.4.3", mmio: "4.2.2" } as const;

/** The checks of per-queue reset, in the order in which they are reported. Letters: see docs/qtest.md. */
export const resetChecks = {
  idle: { title: "resets an idle queue", clause: DEVICE_CLAUSE },
  others: { title: "other queues go on (d)", clause: DEVICE_CLAUSE },
  default: { title: "shows the largest size again", clause: DEVICE_CLAUSE },
  vector: { title: "forgets the queue's vector", clause: DEVICE_CLAUSE },
  resize: { title: "is enabled again with another size and other addresses", clause: ENABLE_CLAUSE },
  serves: { title: "serves the new ring from its start, and notifies (e)", clause: ENABLE_CLAUSE },
  again: { title: "resets a queue that is reset already (h)", clause: DEVICE_CLAUSE },
  twice: { title: "takes a second reset right after the first (h)", clause: DEVICE_CLAUSE },
  early: { title: "resets a queue before DRIVER_OK (h)", clause: DEVICE_CLAUSE },
  unconfigured: { title: "takes the reset of a queue that was never set up (h)", clause: DEVICE_CLAUSE },
  every: { title: "resets each of its queues, and enables it again (h)", clause: DEVICE_CLAUSE },
  missing: { title: "survives the reset of a queue that it does not have (h)", clause: DEVICE_CLAUSE },
  "in-flight": { title: "completes a reset with buffers in flight (a)", clause: DEVICE_CLAUSE },
  untouched: { title: "leaves the old ring and its buffers alone (b)", clause: DEVICE_CLAUSE },
  quiet: { title: "does not notify for them (c)", clause: DEVICE_CLAUSE },
  "others-busy": { title: "other queues go on meanwhile (d)", clause: DEVICE_CLAUSE },
  fresh: { title: "puts nothing old into the new ring (f)", clause: DEVICE_CLAUSE },
  event_idx: { title: "all of this with EVENT_IDX", clause: DEVICE_CLAUSE },
  indirect: { title: "all of this with INDIRECT_DESC", clause: DEVICE_CLAUSE },
  packed: { title: "all of this with RING_PACKED", clause: DEVICE_CLAUSE },
  "packed-all": { title: "all of this with RING_PACKED, EVENT_IDX, INDIRECT_DESC", clause: DEVICE_CLAUSE },
  unnegotiated: { title: "ignores the register if the feature was not negotiated (h)", clause: "" },
} as const;
export type CheckId = keyof typeof resetChecks;

export interface Finding {
  readonly verdict: Verdict;
  readonly seen: string;
}

export const pass = (seen = ""): Finding => ({ verdict: "pass", seen });
export const fail = (seen: string): Finding => ({ verdict: "fail", seen });
export const notChecked = (why: string): Finding => ({ verdict: "not checked", seen: why });
/** A pass, or a failure of which this was seen. */
export const passIf = (isGood: boolean, seen: string): Finding => (isGood ? pass() : fail(seen));

/** Findings by check. */
export class Findings {
  readonly #found = new Map<CheckId, Finding>();

  set(id: CheckId, finding: Finding): void {
    this.#found.set(id, finding);
  }
  /** Sets those that are not set yet. */
  setRest(ids: readonly CheckId[], finding: Finding): void {
    for (const id of ids) if (!this.#found.has(id)) this.#found.set(id, finding);
  }
  get(id: CheckId): Finding | undefined {
    return this.#found.get(id);
  }

  /** All checks that were looked at, in their order. */
  results(kind: keyof typeof REGISTERS): CheckResult[] {
    const ids = Object.keys(resetChecks) as CheckId[];
    return ids.flatMap((id) => {
      const found = this.#found.get(id);
      const { title, clause } = resetChecks[id];
      return found === undefined
        ? []
        : [{ id: `queue-reset.${id}`, title, clause: clause === "" ? REGISTERS[kind] : clause, ...found }];
    });
  }
}
