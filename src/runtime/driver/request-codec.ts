import type { ByteWriter, CodecError } from "../codec/index.js";

/** How a type of request becomes bytes, and its reply a value. */
export interface RequestCodec<Input, Reply> {
  /** Bytes of the device-readable part. */
  readableSize(input: Input): number;
  /** Bytes of the device-writable part. */
  writableSize(input: Input): number;
  /** Writes exactly `readableSize` bytes. */
  encode(input: Input, writer: ByteWriter): void;
  /**
   * Decodes the reply. `bytes` is a private copy of all of the writable part, which the decoder may keep; the first
   * `written` bytes of it are said to be written by the device, the others are zeroes.
   */
  decode(input: Input, bytes: Uint8Array, written: number): Reply | CodecError;
}

/** Takes replies without a promise each; see {@link DriverRequestQueue.post}. */
export interface ReplySink<Input> {
  /** The sink keeps the bytes of a reply, so they are its own. */
  readonly keeps?: boolean;
  /** `bytes` is the writable part, valid during the call only unless the sink keeps it. */
  reply(input: Input, bytes: Uint8Array, written: number): void;
  failed(input: Input, reason: Error): void;
}
