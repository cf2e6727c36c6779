import type { GuestMemory, Translation } from "../memory/index.js";
import type { RingRule } from "./ring-errors.js";
import type { SegmentList } from "./segment-list.js";

/** Bytes of one descriptor, in a split table, in a packed ring and in indirect tables. */
export const descriptorBytes = 16;

/** Longest table that is put together from several pieces of memory: no queue takes a longer chain. */
const mostScattered = descriptorBytes * 32768;

/** Bits of a descriptor's flags; the same in both ring formats. */
export const DescriptorFlag = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;

/** An indirect table that was found and checked, with its entries still unread. One a queue, reused. */
export class IndirectTable {
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the table starts in `view`. */
  offset = 0;
  entries = 0;
  /** After a walk that found a rule broken: the entry, and what is in it. */
  entry = 0;
  address = 0;
  length = 0;

  /**
   * Points this at the table of an indirect descriptor. The numbers are the driver's, read once. Returns the rule
   * that they break, if any. The table may lie at any address, aligned or not. If its address is translated and not
   * known, it has no entries (`entries` is 0).
   */
  locate(memory: GuestMemory, addressLow: number, addressHigh: number, length: number): RingRule | undefined {
    if (length === 0) return "indirect-empty";
    if (length % descriptorBytes !== 0) return "indirect-length";
    if (addressHigh === 0xffff_ffff && addressLow + length > 2 ** 32) return "address-wraps";
    if (addressHigh > 0x1f_ffff) return "indirect-outside-memory";
    const address = addressHigh * 2 ** 32 + addressLow;
    const region = memory.locate(address, length);
    if (region === undefined) {
      const { translation } = memory;
      return translation === undefined ? "indirect-outside-memory" : this.#translate(translation, address, length);
    }
    this.view = region.view;
    this.offset = address - region.start;
    this.entries = length / descriptorBytes;
    return undefined;
  }

  /** A table that lies in several pieces is copied. */
  #translate(translation: Translation, address: number, length: number): RingRule | undefined {
    this.entries = 0;
    let part = translation.find(address, length, false);
    if (part < 0) return "address-not-allowed";
    if (part === length) {
      this.view = translation.region.view;
      this.offset = translation.offset;
      this.entries = length / descriptorBytes;
      return undefined;
    }
    if (length > mostScattered) return "indirect-outside-memory";
    const copy = new Uint8Array(length);
    for (let done = 0; done < length; done += part) {
      part = translation.find(address + done, length - done, false);
      if (part < 0) return "address-not-allowed";
      if (part === 0) {
        translation.want(address + done, length - done, false);
        return undefined;
      }
      const { region, offset } = translation;
      copy.set(region.bytes.subarray(offset, offset + part), done);
    }
    this.view = new DataView(copy.buffer);
    this.offset = 0;
    this.entries = length / descriptorBytes;
    return undefined;
  }

  /**
   * Copies and checks the entries of a split queue's table, in the order in which they are chained. `most`: descriptors
   * that the chain may still have. Returns the rule that is broken, if any.
   */
  walkChained(segments: SegmentList, most: number): RingRule | undefined {
    let index = 0;
    for (let steps = 1; ; steps++) {
      const flags = this.#read(index, 12);
      if (steps > this.entries) return "descriptor-loop";
      if (steps > most) return "chain-too-long";
      if ((flags & DescriptorFlag.INDIRECT) !== 0) return "indirect-nested";
      const rule = this.#append(segments, index, (flags & DescriptorFlag.WRITE) !== 0);
      if (rule !== undefined) return rule;
      if ((flags & DescriptorFlag.NEXT) === 0) return undefined;
      index = flags >>> 16;
      if (index >= this.entries) {
        this.entry = index;
        return "next-out-of-range";
      }
    }
  }

  /** Copies and checks the entries of a packed queue's table, one after the other; only WRITE means something (2.8.7). */
  walkInOrder(segments: SegmentList, most: number): RingRule | undefined {
    if (this.entries > most) return "chain-too-long";
    for (let index = 0; index < this.entries; index++) {
      const writable = ((this.#read(index, 12) >>> 16) & DescriptorFlag.WRITE) !== 0;
      const rule = this.#append(segments, index, writable);
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  #append(segments: SegmentList, index: number, writable: boolean): RingRule | undefined {
    const low = this.#read(index, 0);
    const high = this.#read(index, 4);
    const length = this.#read(index, 8);
    const rule = segments.append(low, high, length, writable);
    if (rule === undefined) return undefined;
    this.entry = index;
    this.address = (high >>> 0) * 2 ** 32 + (low >>> 0);
    this.length = length >>> 0;
    return rule;
  }

  #read(index: number, field: number): number {
    return this.view.getInt32(this.offset + index * descriptorBytes + field, true);
  }
}
