import type { SystemCalls } from "../../posix/index.js";
import { decodePayload, encodePayload, type FrontEndRequest, type Message } from "../protocol/index.js";
import { InflightRegion } from "./inflight-region.js";
import type { Reply } from "./reply.js";

/** The inflight region of a session: made here, or kept by the front end from an earlier back end. */
export class InflightRequests {
  readonly #system: SystemCalls;
  #region: InflightRegion | undefined;

  constructor(system: SystemCalls) {
    this.#system = system;
    this.#region = undefined;
  }

  get region(): InflightRegion | undefined {
    return this.#region;
  }

  create(message: Message<FrontEndRequest>, isPacked: boolean): Reply {
    const { queues, queueSize } = decodePayload("inflight", message);
    const made = InflightRegion.create(this.#system, queues, queueSize, isPacked);
    this.#region?.close();
    this.#region = made.region;
    return { payload: encodePayload("inflight", made.area), fds: [made.fd] };
  }

  /** The descriptor stays the caller's. */
  open(message: Message<FrontEndRequest>, fd: number, isPacked: boolean): void {
    const region = InflightRegion.open(this.#system, decodePayload("inflight", message), fd, isPacked);
    this.#region?.close();
    this.#region = region;
  }

  /** Forgets what is in flight. */
  discard(): void {
    this.#region?.discard();
  }

  close(): void {
    this.#region?.close();
    this.#region = undefined;
  }
}
