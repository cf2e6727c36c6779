import { describe, expect, it } from "vitest";
import { writeDeviceStatus } from "../../../src/runtime/device/device-status-machine.js";
import { DeviceStatus, ProtocolError } from "../../../src/runtime/index.js";

const { ACKNOWLEDGE: A, DRIVER: D, DRIVER_OK: OK, FEATURES_OK: F, SUSPEND, NEEDS_RESET: N, FAILED: X } = DeviceStatus;

interface Transition {
  readonly what: string;
  readonly from: number;
  readonly write: number;
  readonly to: number;
  /** Rules that the write breaks. */
  readonly rules?: readonly string[];
  /** The device refuses the features. */
  readonly refuse?: boolean;
  /** SUSPEND was negotiated. */
  readonly suspend?: boolean;
  /** What the device has to do. */
  readonly action?: "suspend" | "resume";
}

/** Each transition that the text of "Device Status Field" (2.1) and "Device Initialization" (3.1) speaks of. */
const transitions: readonly Transition[] = [
  // 3.1.1, the steps in order
  { what: "step 2: ACKNOWLEDGE", from: 0, write: A, to: A },
  { what: "step 3: DRIVER", from: A, write: A | D, to: A | D },
  { what: "step 5: FEATURES_OK, accepted", from: A | D, write: A | D | F, to: A | D | F },
  {
    what: "step 5: FEATURES_OK, refused: the bit stays clear (2.2.2)",
    from: A | D,
    write: A | D | F,
    to: A | D,
    rules: ["feature-not-offered"],
    refuse: true,
  },
  { what: "step 8: DRIVER_OK", from: A | D | F, write: A | D | F | OK, to: A | D | F | OK },
  { what: "steps 2 and 3 in one write", from: 0, write: A | D, to: A | D },
  { what: "the same status again", from: A | D | F | OK, write: A | D | F | OK, to: A | D | F | OK },

  // 3.1.1: not in the order of the steps
  { what: "DRIVER first", from: 0, write: D, to: 0, rules: ["status-order"] },
  { what: "FEATURES_OK before DRIVER", from: A, write: A | F, to: A, rules: ["status-order"] },
  { what: "FEATURES_OK first of all", from: 0, write: F, to: 0, rules: ["status-order"] },
  { what: "DRIVER_OK without FEATURES_OK", from: A | D, write: A | D | OK, to: A | D, rules: ["status-order"] },
  {
    what: "DRIVER_OK with FEATURES_OK, which was not read back (step 6)",
    from: A | D,
    write: A | D | F | OK,
    to: A | D | F,
    rules: ["status-order"],
  },
  {
    what: "DRIVER_OK after FEATURES_OK was refused",
    from: A | D,
    write: A | D | F | OK,
    to: A | D,
    rules: ["feature-not-offered", "status-order"],
    refuse: true,
  },
  { what: "DRIVER and FEATURES_OK in one write", from: A, write: A | D | F, to: A | D | F },

  // 2.1.1: the driver clears no bit
  {
    what: "DRIVER_OK cleared",
    from: A | D | F | OK,
    write: A | D | F,
    to: A | D | F | OK,
    rules: ["status-bit-cleared"],
  },
  { what: "FEATURES_OK cleared", from: A | D | F, write: A | D, to: A | D | F, rules: ["status-bit-cleared"] },
  {
    what: "initialized again without a reset",
    from: A | D | F | OK,
    write: A,
    to: A | D | F | OK,
    rules: ["status-bit-cleared"],
  },
  { what: "one bit set, the others left out", from: A, write: D, to: A | D, rules: ["status-bit-cleared"] },
  { what: "FAILED cleared", from: A | X, write: A, to: A | X, rules: ["status-bit-cleared"] },

  // 2.1: FAILED may come at any time, and then nothing but a reset
  { what: "FAILED at once", from: 0, write: X, to: X },
  { what: "FAILED during negotiation", from: A | D, write: A | D | X, to: A | D | X },
  { what: "FAILED in operation", from: A | D | F | OK, write: A | D | F | OK | X, to: A | D | F | OK | X },
  {
    what: "FAILED when the device needs a reset",
    from: A | D | F | OK | N,
    write: A | D | F | OK | X,
    to: A | D | F | OK | N | X,
  },
  { what: "going on after FAILED", from: A | X, write: A | D | X, to: A | X, rules: ["status-after-failed"] },
  { what: "the same again after FAILED", from: A | X, write: A | X, to: A | X },

  // 2.1: NEEDS_RESET belongs to the device
  { what: "NEEDS_RESET set by the driver", from: A, write: A | N, to: A, rules: ["status-bit-reserved"] },
  { what: "NEEDS_RESET written back", from: A | D | F | OK | N, write: A | D | F | OK | N, to: A | D | F | OK | N },
  { what: "NEEDS_RESET left out: no clearing, the device set it", from: A | N, write: A | D, to: A | D | N },

  // 3.4 and the rest
  {
    what: "SUSPEND, not negotiated",
    from: A | D | F | OK,
    write: A | D | F | OK | SUSPEND,
    to: A | D | F | OK,
    rules: ["status-bit-reserved"],
  },
  {
    what: "SUSPEND of a live device: the bits change when it is suspended",
    from: A | D | F | OK,
    write: A | D | F | OK | SUSPEND,
    to: A | D | F | OK,
    suspend: true,
    action: "suspend",
  },
  {
    what: "SUSPEND before DRIVER_OK: ignored (3.4.2)",
    from: A | D | F,
    write: A | D | F | SUSPEND,
    to: A | D | F,
    rules: ["status-order"],
    suspend: true,
  },
  {
    what: "SUSPEND together with DRIVER_OK: the second is taken, the first ignored",
    from: A | D | F,
    write: A | D | F | OK | SUSPEND,
    to: A | D | F | OK,
    rules: ["status-order"],
    suspend: true,
  },
  {
    what: "resumed with SUSPEND left out",
    from: A | D | F | SUSPEND,
    write: A | D | F | OK,
    to: A | D | F | SUSPEND,
    suspend: true,
    action: "resume",
  },
  {
    what: "resumed with SUSPEND left in",
    from: A | D | F | SUSPEND,
    write: A | D | F | OK | SUSPEND,
    to: A | D | F | SUSPEND,
    suspend: true,
    action: "resume",
  },
  {
    what: "SUSPEND cleared without DRIVER_OK",
    from: A | D | F | SUSPEND,
    write: A | D | F,
    to: A | D | F | SUSPEND,
    rules: ["status-bit-cleared"],
    suspend: true,
  },
  {
    what: "FAILED while suspended",
    from: A | D | F | SUSPEND,
    write: A | D | F | SUSPEND | X,
    to: A | D | F | SUSPEND | X,
    suspend: true,
  },
  { what: "a bit without a meaning", from: A, write: A | 32, to: A, rules: ["status-bit-reserved"] },
];

describe("writeDeviceStatus", () => {
  it.each(transitions)("$what", ({ from, write, to, rules = [], refuse = false, suspend = false, action = "none" }) => {
    const refusal = new ProtocolError("feature-not-offered", "2.2 Feature Bits", "bit 5");
    const decision = writeDeviceStatus(from, write, {
      featuresRefused: () => (refuse ? refusal : undefined),
      legacy: false,
      suspendable: suspend,
    });
    expect(decision.status).toBe(to);
    expect(decision.action).toBe(action);
    expect(decision.errors.map((error) => error instanceof ProtocolError && error.rule)).toEqual(rules);
  });

  it("never loses a bit, whatever is written, and asks about features only when it must", () => {
    const wrong: [number, number][] = [];
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    for (let from = 0; from < 256; from++) {
      for (let write = 1; write < 256; write++) {
        let asked = 0;
        const { status, action } = writeDeviceStatus(from, write, {
          legacy: false,
          featuresRefused: () => {
            asked++;
            return undefined;
          },
          suspendable: false,
        });
        const kept = (status & from) === from && (status & ~(from | write)) === 0;
        const needed = (from & F) === 0 && (write & F) !== 0;
        const early = (status & OK) !== 0 && (from & (OK | F)) === 0;
        const reserved = (status & ~from & (SUSPEND | N | 32)) !== 0;
        const suspends = action === "suspend" || (action === "resume" && (from & SUSPEND) === 0);
        if (!kept || suspends || asked > (needed ? 1 : 0) || early || reserved) wrong.push([from, write]);
      }
    }
    Error.stackTraceLimit = stackTraceLimit;
    expect(wrong).toEqual([]);
  });
});
