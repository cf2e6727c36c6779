import { GuestMemory } from "../../../src/runtime/memory/index.js";
import type { DeviceChain, ReadableBytes, WritableBytes } from "../../../src/runtime/ring/index.js";
import { memoryBytes } from "./memory-map.js";
import { loadSteppedRing, type Stepped, type SteppedRing } from "./steps/load-stepped-ring.js";
import { SteppedMemory } from "./steps/stepped-memory.js";

/** A chain of the turned sources: its windows are turned as well. */
export interface SteppedChain extends Omit<DeviceChain, "readable" | "writable"> {
  readonly readable: Stepped<ReadableBytes>;
  readonly writable: Stepped<WritableBytes>;
}

/** Memory and turned sources, used for one run after the other. */
export class RingBench {
  /** Shared, as between threads: where it is not, the rings make plain accesses. */
  readonly memory = new GuestMemory([{ start: 0, bytes: new Uint8Array(new SharedArrayBuffer(memoryBytes)) }]);
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly steps: SteppedMemory;
  readonly ring: SteppedRing;

  constructor() {
    const bytes = this.memory.regions[0]?.bytes;
    if (bytes === undefined) throw new Error("no memory");
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer);
    this.steps = new SteppedMemory(bytes.buffer);
    this.ring = loadSteppedRing(this.steps);
  }
}
