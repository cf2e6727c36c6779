import { DeviceStatus, statusNames } from "../negotiation/device-status.js";
import { Clause, ProtocolError } from "../negotiation/errors.js";

/** What the device makes of a write to its status field. */
export interface StatusDecision {
  readonly status: number;
  /** What the device has to do; the bits that go with it change when it is done. */
  readonly action: "none" | "suspend" | "resume";
  /** Rules that the write broke; the bits concerned were not set, or stayed set. */
  readonly errors: readonly ProtocolError[];
}

/** What a decision depends on besides the status. */
export interface StatusContext {
  /** What is wrong with the driver's features; asked only when FEATURES_OK is being set. */
  readonly featuresRefused: () => ProtocolError | undefined;
  /** VIRTIO_F_SUSPEND was negotiated. */
  readonly suspendable: boolean;
  /**
   * The driver uses the legacy interface, which has no FEATURES_OK and no SUSPEND: `featuresRefused` is asked when DRIVER_OK
   * is being set.
   */
  readonly legacy: boolean;
}

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, SUSPEND, NEEDS_RESET, FAILED } = DeviceStatus;
const DEFINED = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | SUSPEND | NEEDS_RESET | FAILED;

/**
 * Decides on a write of the driver to the device status field, other than the reset (writing 0).
 *
 * The driver may only add bits, in the order of the initialization sequence. ACKNOWLEDGE and DRIVER may come in one
 * write; FEATURES_OK must be there before DRIVER_OK is written, as the driver has to read it back in between. Bits that
 * are missing in the write stay set. After FAILED nothing but a reset helps.
 *
 * SUSPEND (3.4) is accepted from a live device if it was negotiated, and ignored otherwise. The device shows it, and takes
 * DRIVER_OK back, when it is suspended; writing DRIVER_OK then resumes it, with SUSPEND in the same write or without.
 */
export function writeDeviceStatus(current: number, written: number, context: StatusContext): StatusDecision {
  const errors: ProtocolError[] = [];
  let status = current;
  let action: StatusDecision["action"] = "none";

  const resuming = (current & SUSPEND) !== 0 && (written & DRIVER_OK) !== 0;
  const cleared = current & ~written & ~NEEDS_RESET & ~(resuming ? SUSPEND : 0);
  if (cleared !== 0) {
    errors.push(fault("status-bit-cleared", `${statusNames(cleared).join(", ")} cannot be cleared but by a reset`));
  }
  const added = written & ~current;
  if ((added & FAILED) !== 0) return { status: status | FAILED, action, errors };
  if ((current & FAILED) !== 0) {
    if (added !== 0) errors.push(fault("status-after-failed", "FAILED is set: the device must be reset first"));
    return { status, action, errors };
  }
  if ((added & NEEDS_RESET) !== 0) errors.push(fault("status-bit-reserved", "only the device sets NEEDS_RESET"));
  if ((added & ~DEFINED) !== 0) {
    errors.push(fault("status-bit-reserved", `0x${(added & ~DEFINED).toString(16)} is not a bit of the status field`));
  }

  if ((added & ACKNOWLEDGE) !== 0) status |= ACKNOWLEDGE;
  if ((added & DRIVER) !== 0) {
    if ((status & ACKNOWLEDGE) !== 0) status |= DRIVER;
    else errors.push(fault("status-order", "DRIVER without ACKNOWLEDGE"));
  }
  if (context.legacy) return { status: legacyReady(status, added, context, errors), action, errors };
  if ((added & FEATURES_OK) !== 0) {
    if ((status & DRIVER) === 0) errors.push(fault("status-order", "FEATURES_OK without DRIVER"));
    else {
      const refusal = context.featuresRefused();
      if (refusal === undefined) status |= FEATURES_OK;
      else errors.push(refusal);
    }
  }
  if (resuming) action = "resume";
  else if ((added & DRIVER_OK) !== 0) {
    if ((current & FEATURES_OK) !== 0) status |= DRIVER_OK;
    else errors.push(fault("status-order", "DRIVER_OK without FEATURES_OK set and read back"));
  }
  if ((added & SUSPEND) !== 0) {
    if (!context.suspendable) errors.push(fault("status-bit-reserved", "SUSPEND was not negotiated"));
    else if ((current & DRIVER_OK) === 0) errors.push(fault("status-order", "SUSPEND without DRIVER_OK set before"));
    else action = "suspend";
  }
  return { status, action, errors };
}

/** What is left of the sequence on a legacy interface (3.1.2). */
function legacyReady(status: number, added: number, context: StatusContext, errors: ProtocolError[]): number {
  const unknown = added & (FEATURES_OK | SUSPEND);
  if (unknown !== 0) {
    const text = `${statusNames(unknown).join(", ")} does not exist on a legacy interface`;
    errors.push(fault("status-bit-reserved", text));
  }
  if ((added & DRIVER_OK) === 0) return status;
  if ((status & DRIVER) === 0) {
    errors.push(fault("status-order", "DRIVER_OK without DRIVER"));
    return status;
  }
  const refusal = context.featuresRefused();
  if (refusal === undefined) return status | DRIVER_OK;
  errors.push(refusal);
  return status;
}

function fault(
  rule: "status-bit-cleared" | "status-order" | "status-bit-reserved" | "status-after-failed",
  text: string,
) {
  const clause = rule === "status-order" ? Clause.initialization : Clause.status;
  return new ProtocolError(rule, clause, text);
}
