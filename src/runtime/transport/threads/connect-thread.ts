import { GuestMemory, MemoryAllocator } from "../../memory/index.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import { DeviceStatus, FeatureSet } from "../../negotiation/index.js";
import type { QueueAddresses } from "../../ring/index.js";
import type { DriverTransport } from "../driver-transport.js";
import { configChange, DoorbellReceiver, DoorbellSender, type Waiting } from "./doorbell.js";
import type { ThreadEnd, ThreadPort } from "./thread-channel.js";
import { ThreadLostError } from "./thread-lost.js";
import { dataOf, isAnswer, isClose, protocolVersion, type RegisterRequest, type Value } from "./thread-messages.js";

export interface ConnectThreadOptions {
  /** How the driver waits for the device; `async` if absent. */
  readonly waiting?: Waiting;
  /** Told once when the device's thread is gone. */
  readonly onLost?: (error: ThreadLostError) => void;
}

interface Asked {
  resolve(value: Value): void;
  reject(error: Error): void;
}

/**
 * The driver's side of a device that is served by another thread. Registers are messages; notifications are words of
 * shared memory.
 *
 * When the device's thread is gone, the status says DEVICE_NEEDS_RESET, so that the driver fails what is outstanding,
 * and 0 after a reset, because nobody touches the memory any more. Everything else rejects with a ThreadLostError.
 */
export class ThreadTransport implements DriverTransport {
  readonly deviceId: number;
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  onQueueUsed: ((index: number) => void) | undefined;
  onConfigChange: (() => void) | undefined;
  readonly #line: Line;
  /** The status as it is seen when the device is gone. */
  #lostStatus: number = DeviceStatus.NEEDS_RESET;

  /** Use {@link connectThread}. */
  constructor(line: Line, memory: GuestMemory, allocator: MemoryAllocator, deviceId: number) {
    this.#line = line;
    this.memory = memory;
    this.allocator = allocator;
    this.deviceId = deviceId;
    this.onQueueUsed = undefined;
    this.onConfigChange = undefined;
    line.onTold = (what) => {
      if (what === configChange) this.onConfigChange?.();
      else this.onQueueUsed?.(what);
    };
    line.onEnd = () => this.onConfigChange?.();
  }

  /** Why the device's thread is gone, if it is. */
  get lostBecause(): ThreadLostError | undefined {
    return this.#line.lost;
  }
  /** Ends it: the device is reset and let go of. */
  close(): void {
    this.#line.close();
  }
  /** The device's thread is known to have ended. For browsers that do not tell; Node does. */
  lost(why: string): void {
    this.#line.end(new ThreadLostError(why));
  }

  async getStatus(): Promise<number> {
    if (this.#line.lost !== undefined) return this.#lostStatus;
    try {
      return asNumber(await this.#line.ask("get-status"));
    } catch (error) {
      if (error instanceof ThreadLostError) return this.#lostStatus;
      throw error;
    }
  }
  async setStatus(status: number): Promise<void> {
    if (status === 0) this.#lostStatus = 0;
    else if (this.#line.lost === undefined) this.#lostStatus = status | DeviceStatus.NEEDS_RESET;
    if (this.#line.lost !== undefined && status === 0) return;
    try {
      await this.#line.ask("set-status", status);
    } catch (error) {
      // A device that is gone is as good as reset.
      if (!(error instanceof ThreadLostError) || status !== 0) throw error;
    }
  }
  async getFeatures(): Promise<FeatureSet> {
    const words = await this.#line.ask("get-features");
    return FeatureSet.fromWords(Array.isArray(words) ? (words as readonly number[]) : []);
  }
  async setFeatures(features: FeatureSet): Promise<void> {
    const word = (index: 0 | 1 | 2 | 3) => features.word(index);
    await this.#line.ask("set-features", word(0), word(1), word(2), word(3));
  }
  async readConfig(offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#line.ask("read-config", offset, length);
    return bytes instanceof Uint8Array ? bytes : new Uint8Array(length);
  }
  async writeConfig(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#line.ask("write-config", offset, bytes);
  }
  async configGeneration(): Promise<number> {
    return asNumber(await this.#line.ask("config-generation"));
  }
  async queueMaxSize(index: number): Promise<number> {
    return asNumber(await this.#line.ask("queue-max-size", index));
  }
  async enableQueue(index: number, { size, descriptor, driver, device }: QueueAddresses): Promise<void> {
    if ((await this.#line.ask("enable-queue", index, size, descriptor, driver, device)) === true) return;
    throw new ProtocolError("queue-enable-refused", Clause.queues, `the device does not enable queue ${String(index)}`);
  }
  async resetQueue(index: number): Promise<void> {
    if ((await this.#line.ask("reset-queue", index)) === true) return;
    const text = `the device does not reset queue ${String(index)}`;
    throw new ProtocolError("queue-reset-refused", Clause.queueReset, text);
  }
  async queueEnabled(index: number): Promise<boolean> {
    return (await this.#line.ask("queue-enabled", index)) === true;
  }
  async queueResetting(index: number): Promise<boolean> {
    return (await this.#line.ask("queue-resetting", index)) === true;
  }
  notify(index: number): void {
    this.#line.ring(index);
  }
}

/** The port and the bells of the driver's end. */
class Line {
  onTold: ((what: number) => void) | undefined;
  onEnd: (() => void) | undefined;
  lost: ThreadLostError | undefined;
  readonly #port: ThreadPort;
  readonly #sender: DoorbellSender;
  readonly #receiver: DoorbellReceiver;
  readonly #asked = new Map<number, Asked>();
  readonly #onLost: ((error: ThreadLostError) => void) | undefined;
  #nextId = 1;

  constructor(port: ThreadPort, bells: SharedArrayBuffer, { waiting, onLost }: ConnectThreadOptions) {
    this.#port = port;
    this.#onLost = onLost;
    this.onTold = undefined;
    this.onEnd = undefined;
    this.lost = undefined;
    this.#sender = new DoorbellSender(bells, 0);
    this.#receiver = new DoorbellReceiver(bells, 1, waiting ?? "async", (what) => this.onTold?.(what));
    port.addEventListener("message", (event) => this.#arrived(dataOf(event)));
    port.addEventListener("messageerror", () => this.end(new ThreadLostError("a message cannot be read")));
    port.addEventListener("close", () => this.end(new ThreadLostError("its port is closed")));
    port.start();
    void this.#receiver.run();
  }

  ask(...request: RegisterRequest): Promise<Value> {
    const { lost } = this;
    if (lost !== undefined) return Promise.reject(lost);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#asked.set(id, { resolve, reject });
      this.#sender.announceMessage();
      this.#port.postMessage({ id, request });
    });
  }

  ring(queue: number): void {
    if (this.lost === undefined) this.#sender.ring(queue);
  }

  close(): void {
    if (this.lost !== undefined) return;
    this.#sender.announceMessage();
    this.#port.postMessage({ close: "the driver is closed" });
    this.end(new ThreadLostError("this side has closed the channel"), false);
  }

  end(error: ThreadLostError, tell = true): void {
    if (this.lost !== undefined) return;
    this.lost = error;
    this.#receiver.stop();
    this.#port.close();
    for (const asked of this.#asked.values()) asked.reject(error);
    this.#asked.clear();
    this.onEnd?.();
    if (tell) this.#onLost?.(error);
  }

  #arrived(message: unknown): void {
    if (this.lost !== undefined) return;
    this.#receiver.messageArrived();
    if (isClose(message)) {
      this.end(new ThreadLostError(`it says: ${message.close.slice(0, 200)}`));
    } else if (isAnswer(message)) {
      const asked = this.#asked.get(message.id);
      this.#asked.delete(message.id);
      asked?.resolve(message.value);
    } else {
      this.end(new ThreadLostError("it sends what is no message"));
    }
  }
}

/**
 * Connects a driver's end of a channel to the device that the other thread serves, or will serve.
 * Rejects with a ThreadLostError if that thread is gone or speaks another version.
 */
export async function connectThread<Port extends ThreadPort>(
  end: ThreadEnd<Port>,
  options: ConnectThreadOptions = {},
): Promise<ThreadTransport> {
  const memory = new GuestMemory([{ start: end.memoryStart, bytes: new Uint8Array(end.memory) }]);
  const allocator = new MemoryAllocator(memory, end.memoryStart, end.memory.byteLength);
  const line = new Line(end.port, end.bells, options);
  const id = asNumber(await line.ask("hello", protocolVersion));
  return new ThreadTransport(line, memory, allocator, id);
}

function asNumber(value: Value): number {
  return typeof value === "number" ? value : 0;
}
