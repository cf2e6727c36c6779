import { ByteReader, type CodecError } from "../codec/index.js";
import { Clause, ProtocolError } from "../negotiation/errors.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import { type DeviceChain, ReadableBytes, WritableBytes } from "../ring/index.js";

/** What became of a completion: `stale` if the request was completed before, or its queue was reset meanwhile. */
export type Completion = "completed" | "stale";

/** What a request needs of the queue that it came over. */
export interface SlotHost {
  readonly features: FeatureSet;
  /** Which one the queue is of those with its name, from 0. */
  readonly position: number;
  readonly queueIndex: number;
  finish(slot: RequestSlot, chain: DeviceChain, written: number): Completion;
  /** Runs work that holds on to guest memory: no reset of the queue is complete before it has settled. */
  hold<T>(work: () => Promise<T>): Promise<T>;
  /** Tells the device of something that the driver did wrong. */
  report?(error: Error): void;
}

/** Most bytes of a request that are copied to be decoded as structures. */
const MOST_STRUCTURED = 1024 * 1024;

/** What a slot shows before its first request arrives: nothing. */
const noReadable = new ReadableBytes();
const noWritable = new WritableBytes();

/**
 * A request that the device is working on; generated classes add typed getters and `complete`. One object a slot of the
 * queue, used again and again: keep no reference to it after it has been completed.
 *
 * The driver can write all of a request at any time. So the head, from which decisions are made, is copied once and read
 * from the copy; the payloads are read and written through `readable` and `writable`.
 */
export abstract class RequestSlot {
  /** Index of the slot in its queue, 0 ... size - 1. */
  readonly slot: number;
  /** Private copy of the first device-readable bytes, filled up with zeroes. */
  protected readonly head: DataView;
  protected readonly headBytes: Uint8Array;
  /** Bytes of the head that were there. */
  protected headLength = 0;
  readonly #host: SlotHost;
  #chain: DeviceChain | undefined;
  #serial = 0;
  /** Made when somebody asks for the signal of the present request. */
  #abort: AbortController | undefined;
  /** What there is of a message that is shorter than its buffer, and whether the present one is. */
  #message: ReadableBytes | undefined;
  #isNarrow = false;

  /** @param headSize bytes of the device-readable part to copy when a request arrives */
  constructor(host: SlotHost, slot: number, headSize: number) {
    this.#host = host;
    this.slot = slot;
    this.headBytes = new Uint8Array(headSize);
    this.head = new DataView(this.headBytes.buffer);
    this.#chain = undefined;
    this.#message = undefined;
    this.#abort = undefined;
  }

  /** The device-readable bytes, head included. */
  get readable(): ReadableBytes {
    return (this.#isNarrow ? this.#message : this.#chain?.readable) ?? noReadable;
  }
  /** The device-writable bytes. */
  get writable(): WritableBytes {
    return this.#chain?.writable ?? noWritable;
  }
  get queueIndex(): number {
    return this.#host.queueIndex;
  }
  /** Which one the queue is of those with its name, from 0. */
  get position(): number {
    return this.#host.position;
  }
  protected get features(): FeatureSet {
    return this.#host.features;
  }
  /** False once the request was completed, or its queue was reset. */
  get live(): boolean {
    return this.#chain?.live ?? false;
  }
  /**
   * Aborted when the queue or the device is reset while the request is in flight; its reason is a ProtocolError. For work
   * that takes a while, so that it can end early: the request is stale by then and nothing can be written any more.
   */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (!this.live && !this.#abort.signal.aborted) this.#abort.abort();
    return this.#abort.signal;
  }

  /**
   * Runs asynchronous work that touches guest memory other than through `readable` and `writable`: with the bytes of
   * `segmentBytes`, as DMA would. Those windows are empty after a reset, such bytes cannot be taken back; so a reset of the
   * queue or the device is not complete before this work has settled. It should end soon when `signal` is aborted.
   * Undefined if the request is not live: then nothing was started.
   */
  hold<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    if (!this.live) return Promise.resolve(undefined);
    return this.#host.hold(() => work(this.signal));
  }

  /** The request is stale: aborts its signal, if anybody has asked for it. Called by the server. */
  cancel(reason: Error): void {
    this.#abort?.abort(reason);
  }

  /** Differs for each request that uses the slot. */
  get serial(): number {
    return this.#serial;
  }

  /** Points the slot at a chain and copies its head. Returns what is wrong with the message. Called by the server. */
  load(chain: DeviceChain): CodecError | undefined {
    this.#chain = chain;
    this.#isNarrow = false;
    this.#serial = (this.#serial + 1) | 0;
    if (this.#abort !== undefined) this.#abort = undefined;
    const { headBytes } = this;
    const copied = chain.copyHead(headBytes);
    this.headLength = copied < 0 ? chain.readable.read(headBytes, 0, 0, headBytes.length) : copied;
    if (this.headLength < headBytes.length) headBytes.fill(0, this.headLength);
    return this.decode();
  }

  /** Generated: looks at the tags, points the windows of the payloads; says what is wrong with the message. */
  protected abstract decode(): CodecError | undefined;

  /** The message says itself that it ends here, whatever else is in the buffer. */
  protected narrow(length: number): void {
    this.#message ??= new ReadableBytes();
    this.#message.window(this.readable, 0, length);
    this.#isNarrow = true;
  }

  /** Completes the request; `written` bytes from the start of the writable part are valid. */
  protected finish(written: number): Completion {
    const chain = this.#chain;
    if (chain === undefined) return "stale";
    const outcome = this.#host.finish(this, chain, written);
    // Over: whoever keeps the signal is not told of a reset that comes later.
    if (outcome === "completed" && this.#abort !== undefined) this.#abort = undefined;
    return outcome;
  }

  /** Completes the request with one byte at the very end of the writable part, all of which is valid: a status. */
  protected finishWithByte(value: number): Completion {
    const chain = this.#chain;
    if (chain === undefined) return "stale";
    const length = chain.writableLength;
    chain.setLastByte(value);
    return this.finish(length);
  }

  /**
   * Completes a request whose handler failed: with `answer` at the start of the device-writable part, or at its end. Nothing
   * of what the handler may have written is left in front of it. Where there is no room for it, none is expected.
   */
  protected finishFailed(answer: DataView, anchor: "start" | "end"): Completion {
    const { writable } = this;
    const size = answer.byteLength;
    const at = anchor === "end" ? writable.length - size : 0;
    if (at < 0 || writable.length < size) return this.abandon();
    writable.fill(0, 0, at);
    writable.write(new Uint8Array(answer.buffer, answer.byteOffset, size), 0, at);
    return this.finish(at + size);
  }

  /** Bytes of the device-writable part, as `writable.length` says too: without making the window ready. */
  protected get writableLength(): number {
    return this.#chain?.writableLength ?? 0;
  }

  /** Completes the request without a written byte: what a driver gets for a message that makes no sense. */
  abandon(): Completion {
    return this.finish(0);
  }

  /** Completes a request whose handler failed. Generated where an answer can say so: with what the definition says. */
  fail(): Completion {
    return this.abandon();
  }

  /**
   * A private copy of the device-readable bytes from `from` on, for parts that are decoded one after the other. What was
   * copied as the head is not read again. Of very long requests the end is left out.
   */
  protected readerFrom(from: number): ByteReader {
    const { readable, headBytes, headLength } = this;
    const bytes = new Uint8Array(Math.min(MOST_STRUCTURED, Math.max(0, readable.length - from)));
    const known = headBytes.subarray(from, Math.min(headLength, from + bytes.length));
    bytes.set(known);
    if (known.length < bytes.length) readable.read(bytes, known.length, from + known.length);
    return new ByteReader(bytes);
  }

  /** The driver's buffer has no room for the reply: reported, and completed without a written byte. */
  protected tooSmall(needed: number): Completion {
    const text = `a reply of ${String(needed)} bytes for a buffer of ${String(this.writable.length)}`;
    this.#host.report?.(new ProtocolError("message-too-long", Clause.framing, text));
    return this.abandon();
  }

  /** The decoded fields, for traces. */
  abstract toJSON(): object;

  /** The decoded reply, for traces; called before the request is completed. */
  replyToJSON(): object | undefined {
    return undefined;
  }
}
