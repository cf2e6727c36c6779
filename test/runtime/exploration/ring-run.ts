import type {
  DeviceChain,
  DeviceQueue,
  DriverQueue,
  QueueAddresses,
  QueueOptions,
  RingError,
} from "../../../src/runtime/ring/index.js";
import { effect, type Effect, type Run } from "./explorer.js";
import {
  bellOf,
  Control,
  ENABLE,
  FINISH,
  memoryBytes,
  partOf,
  Place,
  placeOf,
  RESET,
  Side,
  type Part,
} from "./memory-map.js";
import type { Scenario } from "./ring-scenario.js";
import { addState, StateHash } from "./state-hash.js";
import type { RingBench, SteppedChain } from "./ring-bench.js";
import type { Stepped } from "./steps/load-stepped-ring.js";
import type { Access, Step, Steps } from "./steps/stepped-memory.js";
import { StoreBuffers } from "./store-buffers.js";

const sideNames = ["driver", "device"] as const;

/**
 * Changes what a side does to memory, to see that the exploration finds it: makes the access now, later, differently or
 * not at all. Returns its value.
 */
export type Mutation = (
  side: Side,
  access: Access,
  step: (access: Access) => Steps<number>,
  part: Part,
) => Steps<number>;

export interface RunOptions {
  /** The run tells its story. */
  readonly telling?: boolean;
  readonly mutation?: Mutation | undefined;
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** One run of a scenario: driver and device as two programs, the choices being which of them makes its next access. */
export class RingRun implements Run {
  readonly #bench: RingBench;
  readonly #scenario: Scenario;
  readonly #programs: readonly [Steps<void>, Steps<void>];
  readonly #next: [Step | undefined, Step | undefined] = [undefined, undefined];
  readonly #histories = [new StateHash(), new StateHash()] as const;
  readonly #stores: StoreBuffers | undefined;
  /** A notification for a side is under way. */
  readonly #bells: [boolean, boolean] = [false, false];
  /** Bytes that each side has read in its present round, and whether the other one has changed any since. */
  readonly #looked = [new Set<number>(), new Set<number>()] as const;
  readonly #outdated: [boolean, boolean] = [false, false];
  readonly story: string[] = [];
  readonly #telling: boolean;
  readonly #keyHash = new StateHash();
  #effects: Effect[] = [];
  #acting: Side = Side.driver;
  /** The device has answered the reset, and has not been given the queue back. */
  #resetDone = false;
  #firstAfterReset = 0;
  #used = 0;
  #returned = 0;

  constructor(bench: RingBench, scenario: Scenario, { telling = false, mutation }: RunOptions = {}) {
    this.#bench = bench;
    this.#scenario = scenario;
    this.#telling = telling;
    this.#stores =
      scenario.weak === true ? new StoreBuffers((side, access, make) => this.#touch(side, access, make)) : undefined;
    bench.bytes.fill(0);
    bench.steps.perform = (access, make) => this.#perform(access, make);
    bench.steps.onDone = (access, value) => this.#done(access, value);
    bench.steps.intercept =
      mutation && ((access, step) => mutation(this.#acting, access, step, partOf(access, scenario)));
    this.#programs = [this.#driver(), this.#device()];
    // Up to the first access of each.
    for (const side of [Side.driver, Side.device]) this.#advance(side);
  }

  get #polling(): boolean {
    return this.#scenario.waiting === "polling";
  }

  get enabled(): number {
    return Number(this.#canGoOn(Side.driver)) | (Number(this.#canGoOn(Side.device)) << 1);
  }

  step(side: Side): readonly Effect[] {
    this.#acting = side;
    this.#effects = [];
    if (this.#next[side]?.kind === "wait") {
      this.#histories[side].add(-1);
      this.#effects.push(effect(bellOf(side), true));
      this.#bells[side] = false;
      this.#tell("goes on");
    }
    this.#advance(side);
    return this.#effects;
  }

  key(): number {
    const hash = this.#keyHash;
    hash.reset();
    const { words } = this.#bench;
    const used = (this.#scenario.features.indirect ? memoryBytes : Place.tables) / 4;
    for (let index = 0; index < used; index++) hash.add(words[index] ?? 0);
    for (const side of [Side.driver, Side.device]) {
      hash.add(this.#histories[side].value);
      hash.add(Number(this.#bells[side]));
      hash.add(Number(this.#canGoOn(side)));
    }
    this.#stores?.addTo(hash);
    return hash.value;
  }

  end(): void {
    const [driver, device] = this.#next;
    const over = driver === undefined && device === undefined;
    must(over, `deadlock: driver ${waits(driver)}, device ${waits(device)}`);
    const { buffers } = this.#scenario;
    must(this.#used + this.#returned === buffers, `${this.#used} used and ${this.#returned} returned of ${buffers}`);
  }

  /** Stores that are not visible yet, of memory that is weakly ordered. */
  get stores(): StoreBuffers | undefined {
    return this.#stores;
  }

  #canGoOn(side: Side): boolean {
    const step = this.#next[side];
    return step !== undefined && (step.kind !== "wait" || step.ready());
  }

  #advance(side: Side): void {
    const { done, value } = this.#programs[side].next();
    this.#next[side] = done === true ? undefined : value;
  }

  #tell(what: string): void {
    if (this.#telling) this.story.push(`${sideNames[this.#acting]}: ${what}`);
  }

  #perform(access: Access, make: () => number): number {
    const side = this.#acting;
    const stores = this.#stores;
    return stores === undefined ? this.#touch(side, access, make) : stores.perform(side, access, make);
  }

  /** Makes an access that counts now. */
  #touch(side: Side, access: Access, make: () => number): number {
    const { kind, at, bytes } = access;
    for (let byte = at; byte < at + bytes; byte++) {
      this.#effects.push(effect(byte, kind !== "read"));
      if (kind !== "write") this.#looked[side].add(byte);
    }
    const value = make();
    if (kind !== "read") this.#wrote(side, access);
    return value;
  }

  #done(access: Access, value: number): void {
    const { kind, at, atomic } = access;
    this.#histories[this.#acting].add(kind === "write" ? -2 : value);
    this.#tell(`${atomic ? "Atomics " : ""}${kind} ${placeOf(at)} = ${value}`);
  }

  /** A write became visible. */
  #wrote(side: Side, { at, bytes }: Access): void {
    const other = side === Side.driver ? Side.device : Side.driver;
    for (let byte = at; byte < at + bytes; byte++) if (this.#looked[other].has(byte)) this.#outdated[other] = true;
    const isAnswer = at >= Place.control && at < Place.buffers;
    must(side === Side.driver || !this.#resetDone || isAnswer, "the device writes to memory after the reset");
  }

  #ring(side: Side): void {
    this.#tell("notifies");
    this.#bells[side] = true;
    this.#effects.push(effect(bellOf(side), true));
  }

  /**
   * A side begins a round. From here on it counts what the other side changes of what this side has read, and how it
   * got here does not matter any more: only the state in which it is.
   */
  #beginRound(side: Side, ...state: readonly unknown[]): void {
    this.#looked[side].clear();
    this.#outdated[side] = false;
    const history = this.#histories[side];
    history.reset();
    addState(history, state, this.#bench.bytes.buffer);
  }

  #options(addresses: QueueAddresses): QueueOptions {
    return {
      index: 0,
      memory: this.#bench.memory,
      addresses,
      features: this.#scenario.features,
      onBroken: (error: RingError) => {
        throw error;
      },
    };
  }

  /** Until it is notified; or, when polling, until the other side has changed something that this one has read. */
  *#sleep(side: Side): Steps<void> {
    const polling = this.#polling;
    const ready = polling ? () => this.#outdated[side] : () => this.#bells[side];
    yield { kind: "wait", what: polling ? "polls" : "sleeps", ready };
  }

  *#makeDriver(size: number): Steps<Stepped<DriverQueue>> {
    const queue = yield* this.#bench.ring.createDriverQueue({
      ...this.#options({ ...Place, size }),
      indirectTable: { address: Place.tables, entries: 2 },
      notifyDevice: () => {
        this.#ring(Side.device);
      },
    });
    if (this.#polling) yield* queue.disableNotifications();
    return queue;
  }

  *#makeDevice(size: number): Steps<Stepped<DeviceQueue>> {
    const queue = yield* this.#bench.ring.createDeviceQueue({
      ...this.#options({ ...Place, size }),
      notifyDriver: () => {
        this.#ring(Side.driver);
      },
    });
    if (this.#polling) yield* queue.disableNotifications();
    return queue;
  }

  // The driver's program: sends numbered buffers and wants each of them back once. One byte of two is written, so that
  // the length in a used entry differs from what was in its place before.
  *#driver(): Steps<void> {
    const { bytes, steps } = this.#bench;
    const { buffers, batch, reset, size } = this.#scenario;
    let queue = yield* this.#makeDriver(size);
    let resetAt = reset?.afterUsed;
    let sent = 0;
    const inFlight = new Map<number, number>();
    while (this.#used + this.#returned < buffers) {
      this.#beginRound(Side.driver, queue, sent, resetAt, inFlight);
      let full = false;
      for (let left = batch; left > 0 && sent < buffers; left--) {
        const at = Place.buffers + 16 * sent;
        yield* steps.write(bytes, at, sent + 1);
        yield* queue.begin();
        yield* queue.addReadable(at, 2);
        yield* queue.addWritable(at + 8, 2);
        const token = yield* queue.end();
        full = token < 0;
        if (full) break;
        must(!inFlight.has(token), `token ${token} is given out twice`);
        inFlight.set(token, sent++);
      }
      yield* this.#polling ? queue.publish() : queue.kick();
      for (;;) {
        if (resetAt !== undefined && this.#used >= resetAt) {
          yield* this.#resetQueue(queue, inFlight, reset?.size ?? size);
          queue = yield* this.#makeDriver(reset?.size ?? size);
          this.#firstAfterReset = sent + 1;
          yield* this.#ask(ENABLE + (reset?.size ?? size));
          resetAt = undefined;
          break;
        }
        const token = yield* queue.poll();
        if (token < 0) break;
        const buffer = inFlight.get(token);
        must(buffer !== undefined, `token ${token} comes back and is not in flight`);
        inFlight.delete(token);
        const reply = yield* steps.read(bytes, Place.buffers + 16 * buffer + 8);
        must(reply === buffer + 101, `buffer ${buffer} comes back with ${String(reply)}`);
        must(queue.lastWritten === 1, `buffer ${buffer} comes back with ${queue.lastWritten} bytes`);
        this.#used++;
      }
      if (inFlight.size === 0 || (sent < buffers && inFlight.size < batch && !full)) continue;
      if (this.#polling) {
        yield* this.#sleep(Side.driver);
      } else if (!(yield* queue.enableNotifications())) {
        yield* this.#sleep(Side.driver);
        yield* queue.disableNotifications();
      }
    }
    yield* this.#ask(FINISH);
  }

  *#resetQueue(queue: Stepped<DriverQueue>, inFlight: Map<number, number>, size: number): Steps<void> {
    must(size > 0, "a queue has a size");
    yield* this.#ask(RESET);
    yield* queue.dispose();
    must((yield* queue.poll()) === -1, "a disposed queue returns buffers");
    this.#returned += inFlight.size;
    inFlight.clear();
  }

  /** Writes a register, and waits until the device has done what it says. */
  *#ask(request: number): Steps<void> {
    const control = Place.control / 4;
    yield* this.#bench.steps.atomic("store", this.#bench.words, control + Control.request, request);
    this.#ring(Side.device);
    yield {
      kind: "wait",
      what: "waits for the reset",
      ready: () => this.#bench.words[control + Control.answer] === request,
    };
  }

  // The device's program: adds 100 to what it finds in each buffer, which are numbered in turn.
  *#device(): Steps<void> {
    const { steps, words } = this.#bench;
    const control = Place.control / 4;
    let queue = yield* this.#makeDevice(this.#scenario.size);
    let answered = 0;
    let expected = 1;
    let held: SteppedChain[] = [];
    const stale: SteppedChain[] = [];
    for (;;) {
      this.#beginRound(Side.device, queue, answered, expected, held, stale);
      const request = Number(yield* steps.atomic("load", words, control + Control.request));
      if (request !== answered) {
        answered = request;
        if (request === FINISH) must(held.length === 0, "the device holds a buffer that the driver got back");
        else if (request === RESET) {
          yield* queue.dispose();
          stale.push(...held);
          held = [];
        } else {
          this.#resetDone = false;
          queue = yield* this.#makeDevice(request - ENABLE);
          // What was in flight at the reset has been given back.
          expected = this.#firstAfterReset;
        }
        yield* steps.atomic("store", words, control + Control.answer, request);
        if (request === FINISH) return;
        if (request === RESET) this.#resetDone = true;
      }
      // Late handlers go on with what they hold from before the reset; nothing may come of it.
      for (const chain of stale.splice(0)) yield* this.#completeStale(queue, chain);
      const chain = this.#resetDone ? undefined : yield* asChain(queue.take());
      if (chain !== undefined) {
        const id = yield* chain.readable.byteAt(0);
        must(id === expected, `the device takes ${id} instead of ${expected}`);
        must(chain.writable.length === 2, `chain ${id} has ${chain.writable.length} writable bytes`);
        expected++;
        yield* chain.writable.setByte(0, id + 100);
        held.push(chain);
        if (this.#scenario.completing === "together") continue;
      }
      if (held.length > 0) {
        if (!this.#scenario.features.inOrder) held.reverse();
        for (const each of held) {
          must((yield* complete(queue, each, 1)) === "completed", "a chain in flight is stale");
        }
        held = [];
        yield* this.#polling ? queue.publish() : queue.flush();
      }
      if (chain !== undefined) continue;
      yield* this.#sleep(Side.device);
    }
  }

  *#completeStale(queue: Stepped<DeviceQueue>, chain: SteppedChain): Steps<void> {
    must(!chain.live, "a chain from before the reset is live");
    must((yield* chain.writable.fill(0xff)) === 0, "a chain from before the reset can be written to");
    must((yield* complete(queue, chain, 1)) === "stale", "a chain from before is completed");
  }
}

function* asChain(steps: Steps<DeviceChain | undefined>): Steps<SteppedChain | undefined> {
  // The turned sources make chains whose windows are turned, too; the declared type is that of the originals.
  return (yield* steps) as SteppedChain | undefined;
}

function* complete(queue: Stepped<DeviceQueue>, chain: SteppedChain, written: number): Steps<"completed" | "stale"> {
  return yield* queue.complete(chain as unknown as DeviceChain, written);
}

function waits(step: Step | undefined): string {
  if (step === undefined) return "has ended";
  return step.kind === "wait" ? step.what : "is not waiting";
}
