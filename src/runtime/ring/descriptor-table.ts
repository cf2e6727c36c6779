import type { GuestMemory } from "../memory/index.js";
import type { RingRule } from "./ring-errors.js";

/** Bytes of one descriptor, in a split table, in a packed ring and in indirect tables. */
export const descriptorBytes = 16;

/** Bits of a descriptor's flags; the same in both ring formats. */
export const DescriptorFlag = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;

/** An indirect table that was found and checked, with its entries still unread. One a queue, reused. */
export class IndirectTable {
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the table starts in `view`. */
  offset = 0;
  entries = 0;

  /**
   * Points this at the table of an indirect descriptor. The numbers are the driver's, read once. Returns the rule
   * that they break, if any. The table may lie at any address, aligned or not.
   */
  locate(memory: GuestMemory, addressLow: number, addressHigh: number, length: number): RingRule | undefined {
    if (length === 0) return "indirect-empty";
    if (length % descriptorBytes !== 0) return "indirect-length";
    if (addressHigh === 0xffff_ffff && addressLow + length > 2 ** 32) return "address-wraps";
    if (addressHigh > 0x1f_ffff) return "indirect-outside-memory";
    const address = addressHigh * 2 ** 32 + addressLow;
    const region = memory.locate(address, length);
    if (region === undefined) return "indirect-outside-memory";
    this.view = region.view;
    this.offset = address - region.start;
    this.entries = length / descriptorBytes;
    return undefined;
  }
}
