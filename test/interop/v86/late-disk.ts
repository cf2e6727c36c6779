import { createHash } from "node:crypto";
import { BlkDevice, type BlkDeviceOptions } from "../../../generated/blk.js";

/** A disk in memory that answers in a later turn of the event loop, so that the guest runs while requests are in flight. */
export class LateDisk {
  readonly device: BlkDevice;
  readonly bytes: Uint8Array;
  /** Requests that were begun so far. */
  begun = 0;
  mostInFlight = 0;
  #inFlight = 0;

  /** @param size in bytes, whole sectors */
  constructor(size: number, features: NonNullable<BlkDeviceOptions["features"]> = []) {
    const bytes = (this.bytes = new Uint8Array(size));
    this.device = new BlkDevice({
      features,
      config: { capacity: BigInt(size / 512) },
      requestq: async (request) => {
        if (request.type !== "IN" && request.type !== "OUT") return request.complete("UNSUPP");
        this.begun++;
        this.mostInFlight = Math.max(this.mostInFlight, ++this.#inFlight);
        await new Promise((resolve) => setTimeout(resolve, 1));
        this.#inFlight--;
        const at = request.sectorNumber * 512;
        if (at + request.data.length > bytes.length) return request.complete("IOERR");
        if (request.type === "IN") request.data.write(bytes, at);
        else request.data.read(bytes, at);
        return request.complete("OK");
      },
    });
  }

  /** In hexadecimal, of the bytes before `end`. */
  sha256(end: number): string {
    return createHash("sha256").update(this.bytes.subarray(0, end)).digest("hex");
  }
}
