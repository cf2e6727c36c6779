import { ByteWriter, CodecError } from "../codec/index.js";
import { OutOfGuestMemory, copyBytes } from "../memory/index.js";
import { Clause, HandlerError, ProtocolError } from "../negotiation/errors.js";
import { BufferSlot } from "./buffer-slot.js";
import type { DriverQueueContext, DriverQueueHandler } from "./driver-definition.js";
import type { ReplySink, RequestCodec } from "./request-codec.js";

/** A request that waits for room. */
interface Waiting<Input> {
  readonly input: Input;
  readonly sink: ReplySink<Input>;
}

/** Buffers up to this size stay with the queue; larger ones go back to the allocator after use. */
const KEPT_BYTES = 64 * 1024;

const NO_BYTES = new Uint8Array(0);

/** Decodes a reply and settles a promise with it. */
class PromisedReply<Input, Reply> implements ReplySink<Input> {
  readonly keeps = true;
  readonly #codec: RequestCodec<Input, Reply>;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (reason: Error) => void;

  constructor(codec: RequestCodec<Input, Reply>, resolve: (reply: Reply) => void, reject: (reason: Error) => void) {
    this.#codec = codec;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  reply(input: Input, bytes: Uint8Array, written: number): void {
    try {
      const reply = this.#codec.decode(input, bytes, written);
      if (reply instanceof CodecError) this.#reject(reply);
      else this.#resolve(reply);
    } catch (error) {
      this.#reject(new HandlerError("reply", error));
    }
  }
  failed(_input: Input, reason: Error): void {
    this.#reject(reason);
  }
}

/** Driver side of a queue whose buffers are requests. */
export class DriverRequestQueue<Input, Reply> implements DriverQueueHandler {
  readonly #codec: RequestCodec<Input, Reply>;
  readonly #writer = new ByteWriter(new Uint8Array(0));
  #context: DriverQueueContext | undefined;
  #closed: Error | undefined;
  /** Requests in flight, by token. */
  #busy: (BufferSlot<Input> | undefined)[] = [];
  #idle: BufferSlot<Input>[] = [];
  readonly #waiting: Waiting<Input>[] = [];
  #inFlight = 0;
  /** Nothing is made available: the queue is being reset, or the device is suspended. */
  #paused = false;

  constructor(codec: RequestCodec<Input, Reply>) {
    this.#codec = codec;
    this.#context = undefined;
    this.#closed = undefined;
  }

  /** Requests that the device has and has not answered. */
  get inFlight(): number {
    return this.#inFlight;
  }
  /** Requests that wait for room in the ring. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Sends a request; the promise gives the decoded reply. Waits for room when the ring is full, first come first served.
   * Rejects with a CodecError if the request or the reply does not fit its layout, with a RingError or ProtocolError if
   * the queue breaks, is reset (`queue-reset`: the device may have served the request or not), or the driver is stopped.
   */
  submit(input: Input): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      const refused = this.#offer(input, new PromisedReply(this.#codec, resolve, reject));
      if (refused !== undefined) reject(refused);
    });
  }

  /**
   * Sends a request without a promise and without allocating, once buffers of its size are at hand. False if there is no
   * room now: nothing was sent. The device is not told before {@link kick}, so that many requests can share one notice.
   *
   * @throws the reason why no request of this kind can be sent: a CodecError, or that the queue is closed
   */
  post(input: Input, sink: ReplySink<Input>): boolean {
    const outcome = this.#post(input, sink);
    if (outcome === "posted") return true;
    if (outcome === "full") return false;
    throw outcome;
  }

  /** Tells the device of all posted requests. */
  kick(): void {
    if (!this.#paused) this.#context?.queue.kick();
  }

  // ---- for the driver ----

  start(context: DriverQueueContext): void {
    this.#context = context;
    this.#closed = undefined;
    this.#paused = false;
    this.#busy = new Array<BufferSlot<Input> | undefined>(context.queue.size).fill(undefined);
    this.#idle = [];
    this.#sendWaiting();
  }

  used(): boolean {
    const context = this.#context;
    if (context === undefined) return false;
    const { queue } = context;
    for (let left = queue.size; left > 0; left--) {
      let token = queue.poll();
      if (token < 0 && queue.enableNotifications()) token = queue.poll();
      if (token < 0) {
        this.#sendWaiting();
        return false;
      }
      this.#answer(context, token, queue.lastWritten);
    }
    this.#sendWaiting();
    return true;
  }

  fail(reason: Error): void {
    this.#closed ??= reason;
    this.#rejectBusy(reason);
    for (const { input, sink } of this.#waiting.splice(0)) this.#tell(() => sink.failed(input, reason));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.kick();
    this.#sendWaiting();
  }

  stop(reason: Error, reopens = false): void {
    if (reopens && this.#closed === undefined) {
      this.#paused = true;
      this.#rejectBusy(reason);
    } else {
      this.fail(reason);
    }
    const allocator = this.#context?.allocator;
    for (const slot of [...this.#busy, ...this.#idle]) {
      if (slot === undefined || slot.address < 0) continue;
      allocator?.free(slot.address);
      slot.address = -1;
    }
    this.#busy = [];
    this.#idle = [];
    this.#context = undefined;
  }

  #rejectBusy(reason: Error): void {
    // First none is in flight, then they are told: who is told may send again.
    this.#inFlight = 0;
    for (const slot of this.#busy) if (slot !== undefined) this.#reject(slot, reason);
  }

  // ---- sending ----

  /** Posts a request or lets it wait. Returns why it can never be sent. */
  #offer(input: Input, sink: ReplySink<Input>): Error | undefined {
    const outcome = this.#waiting.length > 0 ? "full" : this.#post(input, sink);
    if (outcome === "posted") this.kick();
    else if (outcome !== "full") return outcome;
    else if (this.#closed !== undefined) return this.#closed;
    else this.#waiting.push({ input, sink });
    return undefined;
  }

  #sendWaiting(): void {
    if (this.#paused) return;
    let sent = 0;
    for (const { input, sink } of this.#waiting) {
      const outcome = this.#post(input, sink);
      if (outcome === "full") break;
      sent++;
      if (outcome !== "posted") this.#tell(() => sink.failed(input, outcome));
    }
    if (sent === 0) return;
    this.#waiting.splice(0, sent);
    this.kick();
  }

  #post(input: Input, sink: ReplySink<Input>): "posted" | "full" | Error {
    const context = this.#context;
    if (this.#paused && this.#closed === undefined) return "full";
    if (this.#closed !== undefined || context === undefined) {
      return this.#closed ?? new ProtocolError("stopped", Clause.cleanup, "the driver has not started the queue");
    }
    if (context.queue.free === 0) return "full";
    let slot: BufferSlot<Input> | undefined;
    try {
      const readableSize = this.#codec.readableSize(input);
      const writableSize = this.#codec.writableSize(input);
      if (readableSize + writableSize <= 0) return new CodecError("empty");
      slot = this.#slot(context, readableSize + writableSize);
      if (slot === undefined) return "full";
      slot.readableSize = readableSize;
      slot.writableSize = writableSize;
      const refused = this.#write(context, slot, input);
      const token = refused === undefined ? this.#enqueue(context, slot) : -1;
      if (token < 0) {
        this.#idle.push(slot);
        return refused ?? "full";
      }
      slot.input = input;
      slot.sink = sink;
      this.#busy[token] = slot;
      this.#inFlight++;
      return "posted";
    } catch (error) {
      if (slot !== undefined) this.#idle.push(slot);
      return error instanceof Error ? error : new HandlerError("request", error);
    }
  }

  #write(context: DriverQueueContext, slot: BufferSlot<Input>, input: Input): Error | undefined {
    const { readableSize, writableSize, address } = slot;
    const region = context.memory.locate(address, readableSize + writableSize);
    if (region === undefined) return new CodecError("out-of-range", undefined, "the buffer is not in guest memory");
    const start = address - region.start;
    const writer = this.#writer.reset(region.bytes, start, start + readableSize);
    this.#codec.encode(input, writer);
    if (writer.error === undefined && writer.offset !== start + readableSize) writer.fail("length-mismatch");
    // What the device does not write is zero, not what an earlier reply left there.
    region.bytes.fill(0, start + readableSize, start + readableSize + writableSize);
    return writer.error;
  }

  #enqueue(context: DriverQueueContext, slot: BufferSlot<Input>): number {
    const { queue, cut } = context;
    const { address, readableSize, writableSize } = slot;
    const readable = Math.min(cut.readable ?? readableSize, readableSize);
    const writable = Math.min(cut.writable ?? writableSize, writableSize);
    queue.begin();
    // Segments of length 0 are left out.
    queue.addReadable(address, readable);
    queue.addReadable(address + readable, readableSize - readable);
    queue.addWritable(address + readableSize, writable);
    queue.addWritable(address + readableSize + writable, writableSize - writable);
    return queue.end();
  }

  /** A slot with a buffer of at least `size` bytes; undefined if there is no memory before another request is done. */
  #slot(context: DriverQueueContext, size: number): BufferSlot<Input> | undefined {
    const slot = this.#idle.pop() ?? new BufferSlot<Input>();
    if (slot.capacity >= size && slot.address >= 0) return slot;
    this.#release(context, slot);
    for (;;) {
      try {
        slot.address = context.allocator.allocate(size);
        slot.capacity = size;
        return slot;
      } catch (error) {
        const spare = this.#idle.pop();
        if (!(error instanceof OutOfGuestMemory)) throw error;
        if (spare !== undefined) this.#release(context, spare);
        else if (this.#inFlight > 0) return undefined;
        else throw error;
      }
    }
  }

  #release(context: DriverQueueContext, slot: BufferSlot<Input>): void {
    if (slot.address >= 0) context.allocator.free(slot.address);
    slot.address = -1;
    slot.capacity = 0;
  }

  // ---- answers ----

  #answer(context: DriverQueueContext, token: number, written: number): void {
    const slot = this.#busy[token];
    if (slot === undefined) return;
    this.#busy[token] = undefined;
    const { input, sink, address, readableSize, writableSize } = slot;
    if (slot.reply.length !== writableSize) slot.reply = new Uint8Array(writableSize);
    const region = context.memory.locate(address + readableSize, writableSize);
    if (region !== undefined) {
      copyBytes(slot.reply, 0, region.bytes, address + readableSize - region.start, writableSize);
    }
    slot.input = undefined;
    slot.sink = undefined;
    if (input !== undefined && sink !== undefined) {
      this.#inFlight--;
      const bytes = slot.reply;
      if (sink.keeps === true) slot.reply = NO_BYTES;
      try {
        sink.reply(input, bytes, Math.min(written, writableSize));
      } catch (error) {
        context.report(new HandlerError("reply", error));
      }
    }
    if (slot.capacity > KEPT_BYTES) this.#release(context, slot);
    this.#idle.push(slot);
  }

  #reject(slot: BufferSlot<Input>, reason: Error): void {
    const { input, sink } = slot;
    slot.input = undefined;
    slot.sink = undefined;
    if (input !== undefined && sink !== undefined) this.#tell(() => sink.failed(input, reason));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#context?.report(new HandlerError("reply", error));
    }
  }
}
