import { ByteWriter } from "../codec/index.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import type { DeviceChain, DeviceQueue } from "../ring/index.js";
import type { QueueHandler } from "./device-definition.js";

export interface MessageSenderOptions<Message> {
  /** Bytes that the message takes. */
  size(message: Message, features: FeatureSet): number;
  /** Writes exactly that many bytes. */
  encode(message: Message, writer: ByteWriter, features: FeatureSet): void;
  /** One message may span several buffers: a le16 at `offset` of the message says how many. */
  readonly merged?: {
    readonly offset: number;
    /** Was merging negotiated? Otherwise each message needs one buffer, and the count is 1. */
    active(features: FeatureSet): boolean;
  };
  report(error: Error): void;
  /** Which one the queue is of those with its name; 0 if absent. */
  readonly position?: number;
}

/**
 * Device side of a queue whose buffers the driver posts empty and the device fills when it has something to say.
 * Buffers are used in the order in which they were posted.
 */
export class MessageSender<Message> implements QueueHandler {
  /** Called when the driver has posted buffers. */
  onAvailable: (() => void) | undefined;
  readonly position: number;
  readonly #options: MessageSenderOptions<Message>;
  readonly #writer = new ByteWriter(new Uint8Array(0));
  #scratch = new Uint8Array(0);
  #queue: DeviceQueue | undefined;
  #features = FeatureSet.none;
  #merging = false;
  #paused = false;
  /** Buffers taken and not yet filled, oldest first: a ring of `queue.size` entries. */
  #held: (DeviceChain | undefined)[] = [];
  #first = 0;
  #count = 0;
  #room = 0;
  /** The buffer that was last reported as too small. */
  #tooSmall: DeviceChain | undefined;

  constructor(options: MessageSenderOptions<Message>) {
    this.#options = options;
    this.position = options.position ?? 0;
    this.onAvailable = undefined;
    this.#queue = undefined;
    this.#tooSmall = undefined;
  }

  /** Buffers at hand. */
  get available(): number {
    this.#collect(Infinity);
    return this.#count;
  }

  /** Bytes that the next message may have: those of the next buffer or, where messages are merged, of all of them. */
  get room(): number {
    this.#collect(this.#merging ? Infinity : 1);
    return this.#merging ? this.#room : (this.#held[this.#first]?.writable.length ?? 0);
  }

  /**
   * Sends a message. False while the queue is disabled, being reset, suspended or broken. False if there is no buffer, or too few; then nothing was sent and nothing is lost. Likewise if the
   * next buffer is too small, which is reported once for each such buffer; it is kept for a message that fits.
   *
   * @throws CodecError if the message cannot be encoded
   */
  send(message: Message): boolean {
    const queue = this.#queue;
    if (queue === undefined || this.#paused || queue.broken !== undefined) return false;
    const size = this.#options.size(message, this.#features);
    this.#collect(this.#merging ? Math.max(1, size) : 1);
    const first = this.#held[this.#first];
    if (first === undefined) return false;
    if (size > (this.#merging ? this.#room : first.writable.length)) {
      this.#reportTooSmall(first, size);
      return false;
    }
    if (first.writable.segmentCount === 1 && first.writable.length >= size) {
      this.#encodeInPlace(message, first, size);
      this.#complete(queue, size);
    } else {
      this.#encodeInScratch(message, size);
      this.#spread(queue, size);
    }
    queue.flush();
    return true;
  }

  // ---- for the device ----

  start(queue: DeviceQueue, features: FeatureSet): void {
    this.#queue = queue;
    this.#features = features;
    this.#merging = this.#options.merged?.active(features) ?? false;
    this.#held = new Array<DeviceChain | undefined>(queue.size).fill(undefined);
    this.#paused = false;
    this.#forget();
  }

  notified(): boolean {
    if (this.#paused || this.onAvailable === undefined || this.available === 0) return false;
    try {
      this.onAvailable();
    } catch (error) {
      this.#options.report(new HandlerError("onAvailable", error));
    }
    return false;
  }

  stop(): void {
    this.#queue = undefined;
    this.#held = [];
    this.#paused = false;
    this.#forget();
  }
  /** Buffers at hand are not being worked on: they stay where they are. */
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
  }

  // ---- buffers ----

  #forget(): void {
    this.#first = 0;
    this.#count = 0;
    this.#room = 0;
    this.#tooSmall = undefined;
  }

  /** Takes buffers that the driver has posted, until there are `bytes` bytes of room or no more buffers. */
  #collect(bytes: number): void {
    const queue = this.#queue;
    if (queue === undefined || this.#paused) return;
    // Bounded whatever the driver does; one more than there can be, so that the queue asks for notifications again.
    for (let left = queue.size + 1; left > 0 && this.#room < bytes; left--) {
      const chain = queue.take();
      if (chain === undefined) return;
      if (chain.readable.length > 0 || chain.writable.length === 0) this.#giveBack(queue, chain);
      else this.#hold(chain);
    }
  }

  #hold(chain: DeviceChain): void {
    this.#held[(this.#first + this.#count) % this.#held.length] = chain;
    this.#count++;
    this.#room += chain.writable.length;
  }

  #giveBack(queue: DeviceQueue, chain: DeviceChain): void {
    queue.complete(chain, 0);
    queue.flush();
    const text = `a buffer on queue ${String(queue.index)} must be device-writable only`;
    this.#options.report(new ProtocolError("buffer-direction", Clause.framing, text));
  }

  /** Completes the oldest buffer. */
  #complete(queue: DeviceQueue, written: number): void {
    const chain = this.#held[this.#first];
    if (chain === undefined) return;
    this.#held[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#held.length;
    this.#count--;
    this.#room -= chain.writable.length;
    if (this.#tooSmall === chain) this.#tooSmall = undefined;
    queue.complete(chain, written);
  }

  #reportTooSmall(chain: DeviceChain, size: number): void {
    if (this.#merging || this.#tooSmall === chain) return;
    this.#tooSmall = chain;
    const text = `${String(size)} bytes for a buffer of ${String(chain.writable.length)}`;
    this.#options.report(new ProtocolError("message-too-long", Clause.framing, text));
  }

  // ---- messages ----

  #encode(message: Message, bytes: Uint8Array, start: number, size: number, buffers: number): void {
    const writer = this.#writer.reset(bytes, start, start + size);
    this.#options.encode(message, writer, this.#features);
    if (writer.error === undefined && writer.offset !== start + size) writer.fail("length-mismatch");
    const { merged } = this.#options;
    if (merged !== undefined && writer.error === undefined) {
      writer.offset = start + merged.offset;
      writer.u16(buffers);
    }
    if (writer.error !== undefined) throw writer.error;
  }

  #encodeInPlace(message: Message, chain: DeviceChain, size: number): void {
    try {
      this.#encode(message, chain.writable.segmentBytes(0), chain.writable.segmentOffset(0), size, 1);
    } catch (error) {
      // The buffer is kept for the next message, which may be shorter than what stands there now.
      chain.writable.wrote(size);
      throw error;
    }
  }

  #encodeInScratch(message: Message, size: number): void {
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(Math.max(size, 2 * this.#scratch.length));
    this.#encode(message, this.#scratch, 0, size, this.#buffersFor(size));
  }

  /** Buffers that a message of this size takes, if the buffers at hand are enough. */
  #buffersFor(size: number): number {
    let covered = 0;
    let buffers = 0;
    while (covered < size && buffers < this.#count) {
      covered += this.#held[(this.#first + buffers) % this.#held.length]?.writable.length ?? 0;
      buffers++;
    }
    return Math.max(1, buffers);
  }

  /** Copies the encoded message to the oldest buffers and completes them; all but the last are filled. */
  #spread(queue: DeviceQueue, size: number): void {
    let sent = 0;
    do {
      const chain = this.#held[this.#first];
      if (chain === undefined) return;
      const part = Math.min(chain.writable.length, size - sent);
      chain.writable.write(this.#scratch, sent, 0, part);
      sent += part;
      this.#complete(queue, part);
    } while (sent < size);
  }
}
