import type {
  DeviceChain,
  DeviceQueue,
  DriverQueue,
  RingError,
  RingFeatures,
} from "../../../src/runtime/ring/index.js";
import { Place, Side } from "./memory-map.js";
import { wordAt, writes, type PeerWord } from "./peer-words.js";
import type { RingBench, SteppedChain } from "./ring-bench.js";
import type { Stepped } from "./steps/load-stepped-ring.js";
import type { Access, Steps } from "./steps/stepped-memory.js";

/** The peer changes the word of one read, right after it. */
export interface Lie {
  /** Number of the read. */
  readonly after: number;
  /** What becomes of each byte. */
  poison(before: number): number;
  /** Whether it puts back what was there when the call is over. */
  readonly until: "end of call" | "for good";
}

/** A read of what the peer can write. */
export interface Read {
  readonly word: PeerWord;
  readonly at: number;
  readonly bytes: number;
  readonly atomic: boolean;
  /** Number and name of the call in which it was made. */
  readonly call: number;
  readonly callName: string;
}

const addresses = { descriptor: Place.descriptor, driver: Place.driver, device: Place.device, size: 4 } as const;
/** Buffers that go through: more than the queue has entries, so that a lap ends. */
const buffers = 6;

/**
 * Driver and device take turns, call by call, and nobody else runs: the accesses of one side, the victim, are numbered,
 * and between two of them memory may lie.
 */
export class OneSidedRun {
  readonly reads: Read[] = [];
  /** What the calls of the victim returned, and what it wrote. */
  readonly outcome: (string | number)[] = [];
  /** Writes of the victim to what is not its own. */
  readonly trespasses: string[] = [];
  /** What broke the victim's queue. */
  error: RingError | undefined;
  readonly #bench: RingBench;
  readonly #victim: Side;
  readonly #features: RingFeatures;
  readonly #lie: Lie | undefined;
  readonly #driver: Stepped<DriverQueue>;
  readonly #device: Stepped<DeviceQueue>;
  #calls = 0;
  #callName = "";
  #acting: Side | undefined;
  #undo: (() => void) | undefined;

  constructor(bench: RingBench, victim: Side, features: RingFeatures, lie?: Lie) {
    this.#bench = bench;
    this.#victim = victim;
    this.#features = features;
    this.#lie = lie;
    this.#undo = undefined;
    this.#acting = undefined;
    this.error = undefined;
    bench.bytes.fill(0);
    bench.steps.intercept = undefined;
    bench.steps.onDone = undefined;
    bench.steps.perform = (access, make) => this.#perform(access, make);
    const options = (side: Side) => ({
      index: 0,
      memory: bench.memory,
      addresses,
      features,
      onBroken: (error: RingError) => {
        if (side === victim) this.error = error;
      },
    });
    const { ring } = bench;
    this.#driver = finish(
      ring.createDriverQueue({
        ...options(Side.driver),
        indirectTable: { address: Place.tables, entries: 2 },
        notifyDevice: (next) => this.#note(Side.driver, `notifies ${next}`),
      }),
    );
    this.#device = finish(
      ring.createDeviceQueue({ ...options(Side.device), notifyDriver: () => this.#note(Side.device, "notifies") }),
    );
  }

  /** Two buffers at a time go there and back. */
  run(): void {
    for (let sent = 0; sent < buffers; sent += 2) {
      this.#driverSends(sent);
      this.#driverSends(sent + 1);
      this.#call(Side.driver, "kick", () => this.#driver.kick());
      this.#deviceWorks();
      this.#driverReceives();
    }
  }

  #driverSends(id: number): void {
    const at = Place.buffers + 16 * (id % 4);
    const queue = this.#driver;
    this.#call(Side.driver, "end", function* () {
      yield* queue.begin();
      yield* queue.addReadable(at, 2);
      // One of two buffers has two segments.
      if (id % 2 === 0) yield* queue.addWritable(at + 8, 4);
      return yield* queue.end();
    });
  }

  #deviceWorks(): void {
    const queue = this.#device;
    const taken: DeviceChain[] = [];
    for (;;) {
      const chain = this.#call(Side.device, "take", () => queue.take());
      if (chain === undefined || taken.length > addresses.size) break;
      taken.push(chain);
      this.#note(Side.device, `${chain.readableLength} readable, ${chain.writableLength} writable`);
    }
    if (!this.#features.inOrder) taken.reverse();
    for (const chain of taken) {
      // The turned sources make chains whose windows are turned, too; the declared type is that of the originals.
      const { writable } = chain as unknown as SteppedChain;
      this.#call(Side.device, "fill", () => writable.fill(0x5a));
      this.#call(Side.device, "complete", () => queue.complete(chain, 3));
    }
    this.#call(Side.device, "flush", () => queue.flush());
    this.#call(Side.device, "enableNotifications", () => queue.enableNotifications());
  }

  #driverReceives(): void {
    const queue = this.#driver;
    for (let polls = 0; polls <= addresses.size; polls++) {
      const token = this.#call(Side.driver, "poll", () => queue.poll());
      this.#note(Side.driver, `${queue.lastWritten} written, ${queue.free} free`);
      if (token < 0) break;
    }
    this.#call(Side.driver, "enableNotifications", () => queue.enableNotifications());
  }

  /** One call of one side, run to its end. */
  #call<T>(side: Side, name: string, make: () => Steps<T>): T {
    this.#acting = side;
    this.#calls++;
    this.#callName = name;
    const result = finish(make());
    this.#acting = undefined;
    this.#undo?.();
    this.#undo = undefined;
    this.#note(side, typeof result === "object" ? name : `${name}: ${String(result)}`);
    return result;
  }

  #note(side: Side, what: string): void {
    if (side === this.#victim) this.outcome.push(what);
  }

  #perform(access: Access, make: () => number): number {
    if (this.#acting !== this.#victim) return make();
    const { kind, at, bytes, atomic } = access;
    const word = wordAt(at, this.#features, addresses);
    if (kind !== "read") {
      // The device fills what the driver pointed it at, even if that is the driver's own ring.
      const isOwn = this.#callName === "fill" || writes(this.#victim, this.#features, word);
      if (!isOwn) this.trespasses.push(`${this.#callName}: ${word} at ${at}`);
      const value = make();
      this.outcome.push(`${word} ${at}`, value);
      return value;
    }
    const value = make();
    const peer = this.#victim === Side.driver ? Side.device : Side.driver;
    if (!writes(peer, this.#features, word)) return value;
    const number = this.reads.length;
    this.reads.push({ word, at, bytes, atomic, call: this.#calls, callName: this.#callName });
    if (this.#lie?.after === number) this.#change(this.#lie, at, bytes);
    return value;
  }

  #change(lie: Lie, at: number, bytes: number): void {
    const memory = this.#bench.bytes;
    const before = memory.slice(at, at + bytes);
    before.forEach((byte, index) => (memory[at + index] = lie.poison(byte)));
    if (lie.until === "end of call") this.#undo = () => memory.set(before, at);
  }
}

function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
