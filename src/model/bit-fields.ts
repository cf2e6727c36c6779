import type { DiagnosticBag } from "../diagnostics/diagnostic.js";
import type { Span } from "../diagnostics/source.js";
import type { ScalarType } from "./device-model.js";
import { scalarSize } from "./field-types.js";

/** The integer that bit-fields are being cut from, lowest bits first. */
export interface BitContainer {
  readonly scalar: ScalarType;
  readonly used: number;
  readonly last: Span;
}

/** Takes the next bits: from the container at hand, or from a new one. `shift` is where they begin. */
export function takeBits(
  open: BitContainer | null,
  scalar: ScalarType,
  width: number,
  span: Span,
  bag: DiagnosticBag,
): { readonly container: BitContainer | null; readonly shift: number; readonly opened: boolean } {
  const available = scalarSize(scalar) * 8;
  const continued = open !== null && open.scalar === scalar ? open : null;
  if (open !== null && continued === null) checkFull(open, bag);
  const shift = continued?.used ?? 0;
  const used = shift + width;
  if (used > available) {
    bag.report("bit-field-container", span, { used, type: scalar, available });
    // One mistake: what follows starts afresh.
    return { container: null, shift: 0, opened: continued === null };
  }
  return {
    container: used === available ? null : { scalar, used, last: span },
    shift,
    opened: continued === null,
  };
}

/** Reports a container that was left before its last bit was used. */
export function checkFull(open: BitContainer, bag: DiagnosticBag): void {
  const available = scalarSize(open.scalar) * 8;
  bag.report(
    "bit-field-container",
    open.last,
    { used: open.used, type: open.scalar, available },
    { help: `add \`reserved ${open.scalar} : ${String(available - open.used)};\`` },
  );
}
