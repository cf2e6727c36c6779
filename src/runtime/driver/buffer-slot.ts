import type { ReplySink } from "./request-codec.js";

/** Memory for one request in flight, used again for the next one that fits. */
export class BufferSlot<Input> {
  /** Guest-physical address of the buffer; -1 if there is none. */
  address = -1;
  capacity = 0;
  readableSize = 0;
  writableSize = 0;
  input: Input | undefined = undefined;
  sink: ReplySink<Input> | undefined = undefined;
  /** Where replies are copied to; kept while the size stays the same. */
  reply = new Uint8Array(0);
}
