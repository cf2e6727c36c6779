import type { ByteWriter } from "../codec/index.js";
import type { DriverQueueContext, DriverQueueHandler } from "./driver-definition.js";
import { DriverRequestQueue } from "./driver-request-queue.js";
import type { ReplySink } from "./request-codec.js";

/** How a type of message becomes bytes. */
export interface MessageCodec<Message> {
  size(message: Message): number;
  /** Writes exactly `size` bytes. */
  encode(message: Message, writer: ByteWriter): void;
}

/** Driver side of a queue that carries messages to the device, without an answer. */
export class DriverTransmitQueue<Message> implements DriverQueueHandler {
  readonly #requests: DriverRequestQueue<Message, void>;

  constructor(codec: MessageCodec<Message>) {
    this.#requests = new DriverRequestQueue<Message, void>({
      readableSize: (message) => codec.size(message),
      writableSize: () => 0,
      encode: (message, writer) => codec.encode(message, writer),
      decode: () => undefined,
    });
  }

  /** Messages that the device has and has not given back. */
  get inFlight(): number {
    return this.#requests.inFlight;
  }
  /** Messages that wait for room in the ring. */
  get waiting(): number {
    return this.#requests.waiting;
  }

  /** Sends a message; done when the device has given its buffer back. See {@link DriverRequestQueue.submit}. */
  send(message: Message): Promise<void> {
    return this.#requests.submit(message);
  }
  /** Sends without a promise; see {@link DriverRequestQueue.post}. */
  post(message: Message, sink: ReplySink<Message>): boolean {
    return this.#requests.post(message, sink);
  }
  /** Tells the device of all posted messages. */
  kick(): void {
    this.#requests.kick();
  }

  start(context: DriverQueueContext): void {
    this.#requests.start(context);
  }
  used(): boolean {
    return this.#requests.used();
  }
  fail(reason: Error): void {
    this.#requests.fail(reason);
  }
  pause(): void {
    this.#requests.pause();
  }
  resume(): void {
    this.#requests.resume();
  }
  stop(reason: Error, reopens = false): void {
    this.#requests.stop(reason, reopens);
  }
}
