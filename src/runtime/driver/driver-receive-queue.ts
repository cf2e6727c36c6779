import { CodecError } from "../codec/index.js";
import { OutOfGuestMemory, copyBytes } from "../memory/index.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import type { DriverQueueContext, DriverQueueHandler } from "./driver-definition.js";

export interface ReceiveQueueOptions<Message> {
  /** Bytes of each buffer. */
  readonly bufferSize: number;
  /** Buffers to keep posted: as many as the queue takes if absent. */
  readonly count?: number;
  /** Decodes a message. `bytes` is a private copy of the `written` bytes of it, which the decoder may keep. */
  decode(bytes: Uint8Array, written: number): Message | CodecError;
  /** Gets each message, one after the other. Its buffers are posted again afterwards. */
  handler(message: Message): void | Promise<void>;
  /** One message may span several buffers: a le16 at `offset` says how many. Absent if that was not negotiated. */
  readonly merged?: { readonly offset: number } | undefined;
}

/** Bytes of memory that the buffers may take when no count was asked for. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Driver side of a queue whose buffers the driver posts empty and the device fills. */
export class DriverReceiveQueue<Message> implements DriverQueueHandler {
  readonly #options: ReceiveQueueOptions<Message>;
  #context: DriverQueueContext | undefined;
  /** Address of every buffer. */
  #addresses: number[] = [];
  /** Address of the buffer in flight, by token; -1 if none. */
  #posted: number[] = [];
  #closed = false;
  #paused = false;
  /** Buffers that wait to be posted again. */
  #unposted: number[] = [];
  /** Parts of a message that spans several buffers, and how many are to come. */
  #parts: Uint8Array[] = [];
  #missing = 0;

  constructor(options: ReceiveQueueOptions<Message>) {
    this.#options = options;
    this.#context = undefined;
  }

  // ---- for the driver ----

  /** Throws an OutOfGuestMemory if there is not enough for a single buffer. */
  prepare(context: DriverQueueContext): void {
    const { queue, allocator } = context;
    const { bufferSize } = this.#options;
    this.#context = context;
    this.#addresses = [];
    const wanted = this.#options.count ?? Math.max(1, Math.floor(MOST_BYTES / bufferSize));
    for (let left = Math.min(wanted, queue.size); left > 0; left--) {
      try {
        this.#addresses.push(allocator.allocate(bufferSize));
      } catch (error) {
        // Fewer buffers are still a working queue.
        if (error instanceof OutOfGuestMemory && this.#addresses.length > 0) break;
        throw error;
      }
    }
  }

  start(context: DriverQueueContext): void {
    const { queue } = context;
    this.#context = context;
    this.#closed = false;
    this.#paused = false;
    this.#unposted = [];
    this.#posted = new Array<number>(queue.size).fill(-1);
    this.#dropParts();
    for (const address of this.#addresses) this.#post(address);
    queue.kick();
  }

  used(): boolean {
    const context = this.#context;
    if (context === undefined || this.#closed) return false;
    const { queue } = context;
    let left = queue.size;
    for (; left > 0; left--) {
      let token = queue.poll();
      if (token < 0 && queue.enableNotifications()) token = queue.poll();
      if (token < 0) break;
      this.#take(context, token, queue.lastWritten);
    }
    // A handler may have stopped the driver meanwhile.
    if (!this.#paused) this.#context?.queue.kick();
    return left === 0;
  }

  fail(): void {
    this.#closed = true;
    this.#dropParts();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const address of this.#unposted.splice(0)) this.#post(address);
    this.#context?.queue.kick();
  }

  stop(): void {
    this.fail();
    const allocator = this.#context?.allocator;
    for (const address of this.#addresses) allocator?.free(address);
    this.#addresses = [];
    this.#posted = [];
    this.#unposted = [];
    this.#context = undefined;
  }

  // ---- buffers ----

  #post(address: number): void {
    const context = this.#context;
    if (context === undefined || this.#closed) return;
    if (this.#paused) {
      this.#unposted.push(address);
      return;
    }
    const { queue } = context;
    queue.begin();
    queue.addWritable(address, this.#options.bufferSize);
    const token = queue.end();
    if (token >= 0) this.#posted[token] = address;
  }

  /** Copies what the device wrote, so that it cannot change any more, and posts the buffer again. */
  #take(context: DriverQueueContext, token: number, written: number): void {
    const address = this.#posted[token] ?? -1;
    if (address < 0) return;
    this.#posted[token] = -1;
    const bytes = new Uint8Array(Math.min(written, this.#options.bufferSize));
    const region = context.memory.locate(address, bytes.length);
    if (region !== undefined) copyBytes(bytes, 0, region.bytes, address - region.start, bytes.length);
    this.#assemble(context, bytes);
    this.#post(address);
  }

  // ---- messages ----

  #assemble(context: DriverQueueContext, bytes: Uint8Array): void {
    const { merged } = this.#options;
    if (merged === undefined) {
      this.#deliver(context, bytes);
      return;
    }
    if (this.#missing === 0) {
      const buffers = (bytes[merged.offset] ?? 0) | ((bytes[merged.offset + 1] ?? 0) << 8);
      if (buffers === 0 || buffers > context.queue.size) {
        const text = `a message of ${String(buffers)} buffers on queue ${String(context.queue.index)}`;
        context.report(new ProtocolError("buffer-count", Clause.framing, text));
        return;
      }
      this.#missing = buffers;
    }
    this.#parts.push(bytes);
    this.#missing--;
    if (this.#missing > 0) return;
    const parts = this.#parts;
    this.#dropParts();
    this.#deliver(context, join(parts));
  }

  #dropParts(): void {
    this.#parts = [];
    this.#missing = 0;
  }

  #deliver(context: DriverQueueContext, bytes: Uint8Array): void {
    const where = `message on queue ${String(context.queue.index)}`;
    try {
      const message = this.#options.decode(bytes, bytes.length);
      if (message instanceof CodecError) {
        const text = `${where}: ${message.message}`;
        context.report(new ProtocolError("message-malformed", Clause.framing, text, { cause: message }));
        return;
      }
      const result = this.#options.handler(message);
      if (typeof result === "object") {
        Promise.resolve(result).catch((error: unknown) => context.report(new HandlerError(where, error)));
      }
    } catch (error) {
      context.report(new HandlerError(where, error));
    }
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
