import type { GuestMemory } from "../memory/index.js";
import { ReadableBytes, WritableBytes } from "./chain-bytes.js";
import type { DeviceChain } from "./queue-types.js";
import { SegmentList, type SegmentBudget } from "./segment-list.js";

/**
 * The chain of one slot, whatever the ring format. The queue fills in what it took; the windows, made when somebody asks
 * for them, follow. Its lengths are 0 while it is not live.
 */
export class DescriptorChain extends SegmentList implements DeviceChain {
  readonly slot: number;
  /** What names the buffer in the ring: the head of a split chain, the id of a packed one. */
  id = 0;
  /** Entries of the ring that its used entry stands for. */
  entries = 1;
  /** Chains that were taken before this one, with 32 bits. */
  order = 0;
  /** In-order use: completed with `written` bytes out of `capacity`, but its turn has not come. */
  done = false;
  written = 0;
  capacity = 0;
  #readable: ReadableBytes | undefined;
  #writable: WritableBytes | undefined;

  constructor(slot: number, memory: GuestMemory, budget: SegmentBudget, longestChain: number) {
    super(memory, budget, longestChain);
    this.slot = slot;
    this.#readable = undefined;
    this.#writable = undefined;
  }

  get readable(): ReadableBytes {
    return (this.#readable ??= new ReadableBytes(this, "readable"));
  }
  get writable(): WritableBytes {
    return (this.#writable ??= new WritableBytes(this, "writable"));
  }
}

/** All of a chain is there. Otherwise some of it has to be made known first, and it is to be read again. */
export function isComplete(chain: DescriptorChain): boolean {
  if (!chain.isMissing) return true;
  chain.isMissing = false;
  return false;
}
