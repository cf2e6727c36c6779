import { encodePayload } from "../protocol/index.js";

/** What is sent back for a request. */
export interface Reply {
  readonly payload: Uint8Array;
  readonly fds?: readonly number[];
}

export function u64(value: bigint): Reply {
  return { payload: encodePayload("u64", value) };
}
