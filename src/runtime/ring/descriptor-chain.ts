import type { GuestMemory } from "../memory/index.js";
import { ReadableBytes, WritableBytes } from "./chain-bytes.js";
import type { DeviceChain } from "./queue-types.js";
import { SegmentList, type SegmentBudget } from "./segment-list.js";

/** The chain of one slot, whatever the ring format. The queue fills `segments`; the windows follow. */
export class DescriptorChain implements DeviceChain {
  readonly slot: number;
  readonly readable: ReadableBytes;
  readonly writable: WritableBytes;
  readonly segments: SegmentList;
  /** Chains taken before this one. */
  order = 0;

  constructor(slot: number, memory: GuestMemory, budget: SegmentBudget, longestChain: number) {
    this.slot = slot;
    this.segments = new SegmentList(memory, budget, longestChain);
    this.readable = new ReadableBytes(this.segments, "readable");
    this.writable = new WritableBytes(this.segments, "writable");
  }

  get readableLength(): number {
    return this.segments.live ? this.segments.readableLength : 0;
  }
  get writableLength(): number {
    return this.segments.live ? this.segments.writableLength : 0;
  }
  get live(): boolean {
    return this.segments.live;
  }
}
