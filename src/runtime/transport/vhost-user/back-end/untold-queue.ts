import { type DeviceChain, type DeviceQueue, WrappedDeviceQueue } from "../../../ring/index.js";

/**
 * A split ring whose driver may have negotiated EVENT_IDX or not: the front end does not say it. The ring is used as if it had,
 * for a driver that has not looks at no field that is only there for it, and what it writes in place of its own event index
 * is not looked at here: it is told of every used buffer.
 */
export class UntoldQueue extends WrappedDeviceQueue {
  readonly #call: () => void;
  #owesCall = false;

  constructor(queue: DeviceQueue, call: () => void) {
    super(queue);
    this.#call = call;
  }

  override complete(chain: DeviceChain, written: number): "completed" | "stale" {
    const outcome = super.complete(chain, written);
    if (outcome === "completed") this.#owesCall = true;
    return outcome;
  }

  override flush(): void {
    super.publish();
    if (!this.#owesCall) return;
    this.#owesCall = false;
    this.#call();
  }
}
