import { type DeviceChain, type DeviceQueue, WrappedDeviceQueue } from "../ring/index.js";
import type { Trace, TracedDescriptor } from "../transport/trace.js";

/** A device queue that tells of the chains taken and completed. In use only where somebody listens. */
export class TracedDeviceQueue extends WrappedDeviceQueue {
  readonly #trace: Trace;

  constructor(queue: DeviceQueue, trace: Trace) {
    super(queue);
    this.#trace = trace;
  }

  override take(): DeviceChain | undefined {
    const chain = super.take();
    if (chain === undefined) return undefined;
    this.#trace({ kind: "chain", queue: this.index, slot: chain.slot, descriptors: descriptorsOf(chain) });
    return chain;
  }
  override complete(chain: DeviceChain, written: number): "completed" | "stale" {
    const { slot } = chain;
    const outcome = super.complete(chain, written);
    this.#trace({ kind: "completion", queue: this.index, slot, written, outcome });
    return outcome;
  }
}

function descriptorsOf(chain: DeviceChain): TracedDescriptor[] {
  return chain.save().map(({ address, length, writable }) => {
    return { address, length, direction: writable ? "writable" : "readable" };
  });
}
