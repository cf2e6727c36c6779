// Whatever a device is asked for, in whatever order: no byte of memory is another one than the machine has been told of, but
// for those of buffers that the device still has.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommonFeature, GuestMemory, type DriverQueue } from "../../../src/runtime/index.js";
import { EchoDevice, type EchoRequest } from "../fixtures/echo-device.js";
import { EchoFeature, EchoOperation, type EchoEvent } from "../fixtures/echo-protocol.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import type { RawQueue } from "../fixtures/raw-side.js";
import { MmioSide, PciSide } from "../fixtures/register-sides.js";

const START = 0x1000;
/** Bytes from there on that the driver uses. */
const WATCHED = 1 << 18;
const SIZE = 8;
const QUEUES = [0, 1] as const;

interface Part {
  readonly address: number;
  readonly length: number;
}
interface Kept {
  readonly request: EchoRequest;
  readonly fail: () => void;
}

/** A device, its driver, and the memory as the machine believes it to be. */
class Watched {
  readonly #device: EchoDevice;
  readonly #driver: RawDriver;
  readonly #side: PciSide | MmioSide;
  readonly #bytes: Uint8Array;
  /** The memory as far as the machine was told of it, or the driver has written it. */
  readonly #believed = new Uint8Array(WATCHED);
  /** Places of bytes that are others, in buffers that the device has. */
  #pending: number[] = [];
  readonly #rings: DriverQueue[];
  /** Writable parts of the buffers that the device has, by token. */
  readonly #buffers = QUEUES.map(() => new Map<number, readonly Part[]>());
  #kept: Kept[] = [];
  #fill = 0;
  /** How often the device was notified. */
  #notices = 0;

  constructor(name: "PCI" | "MMIO", features: readonly number[], oneThread: boolean) {
    this.#device = new EchoDevice({
      features: ["MERGE", "RING_RESET", "RING_PACKED", "IN_ORDER"],
      config: { level: 0, maxData: 0 },
      queueSize: SIZE,
      requestq: (request) =>
        new Promise<void>((_, reject) => this.#kept.push({ request, fail: () => reject(new Error("no")) })),
      onProtocolError: () => undefined,
    });
    const sides: (PciSide | MmioSide)[] = [];
    this.#driver = new RawDriver(this.#device, {
      side: (device, told) => {
        const bytes = told.memory.regions[0]?.bytes ?? new Uint8Array(0);
        const own = { ...told, memory: new GuestMemory([{ start: START, bytes }], { oneThread }) };
        const memoryWritten = (address: number, length: number): void => {
          const at = address - START;
          this.#believed.set(bytes.subarray(at, Math.min(WATCHED, at + length)), at);
        };
        const side =
          name === "PCI" ? new PciSide(device, own, { memoryWritten }) : new MmioSide(device, own, { memoryWritten });
        sides.push(side);
        return {
          writeStatus: (status) => side.writeStatus(status),
          readStatus: () => side.readStatus(),
          setFeatures: (accepted) => side.setFeatures(accepted),
          queue: (index) => this.#watchedQueue(side.queue(index)),
        };
      },
    });
    const [side] = sides;
    if (side === undefined) throw new Error("there is no side");
    this.#side = side;
    this.#bytes = this.#driver.memory.regions[0]?.bytes.subarray(0, WATCHED) ?? new Uint8Array(0);
    this.#driver.negotiate([CommonFeature.RING_RESET, ...features]);
    this.#rings = QUEUES.map((index) => this.#driver.queue(index, SIZE));
    this.#driver.ready();
  }

  /** What the driver has written is known when the device goes on. */
  #watchedQueue(queue: RawQueue | undefined): RawQueue | undefined {
    if (queue === undefined) return undefined;
    const before = <Result>(work: () => Result): Result => {
      this.#driverWrote();
      return work();
    };
    return {
      enabled: queue.enabled,
      resetting: queue.resetting,
      addresses: queue.addresses,
      epoch: queue.epoch,
      configure: (addresses) => before(() => queue.configure(addresses)),
      enable: () => before(() => queue.enable()),
      reset: () => before(() => queue.reset()),
      notify: () => {
        this.#notices++;
        before(() => queue.notify());
      },
    };
  }

  #driverWrote(): void {
    const pending = this.#pending.map((at) => [at, this.#believed[at] ?? 0] as const);
    this.#believed.set(this.#bytes);
    for (const [at, value] of pending) this.#believed[at] = value;
  }

  /** Waits until the device has done what it has to do, and looks at all of the memory. */
  async check(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#look();
    // The driver takes what was used, which has to be known by then.
    for (const [index, ring] of this.#rings.entries()) {
      for (let token = ring.poll(); token >= 0; token = ring.poll()) this.#buffers[index]?.delete(token);
    }
    // That alone has written nothing but the driver's own part.
    this.#look(true);
    for (const ring of this.#rings) ring.enableNotifications();
    this.#driverWrote();
  }

  #look(isDriver = false): void {
    this.#pending = [];
    if (Buffer.compare(this.#bytes, this.#believed) === 0) return;
    const held = this.#buffers.flatMap((buffers) => [...buffers.values()].flat());
    for (let at = 0; at < WATCHED; at++) {
      if (this.#bytes[at] === this.#believed[at]) continue;
      const address = at + START;
      if (held.some((part) => address >= part.address && address < part.address + part.length)) this.#pending.push(at);
      else if (!isDriver || !this.#isDriverArea(address)) {
        expect.fail(`0x${address.toString(16)} was written, and nobody told`);
      }
    }
  }

  #isDriverArea(address: number): boolean {
    return QUEUES.some((index) => {
      const driver = this.#side.queue(index)?.addresses?.driver ?? 0;
      return address >= driver && address < driver + 6 + 2 * SIZE;
    });
  }

  #allocate(bytes: Uint8Array): number {
    const address = this.#driver.write(bytes);
    expect(address + bytes.length).toBeLessThanOrEqual(START + WATCHED);
    return address;
  }

  #offer(index: 0 | 1, lengths: readonly number[]): void {
    const ring = this.#rings[index];
    if (ring === undefined) return;
    ring.begin();
    if (index === 0) {
      const head = new Uint8Array(16);
      new DataView(head.buffer).setUint32(0, EchoOperation.ECHO, true);
      ring.addReadable(this.#allocate(head), head.length);
    }
    const parts = lengths.map((length) => ({ address: this.#allocate(new Uint8Array(length)), length }));
    for (const { address, length } of parts) ring.addWritable(address, length);
    const token = ring.end();
    if (token >= 0) this.#buffers[index]?.set(token, parts);
    const before = this.#notices;
    ring.kick();
    if (this.#notices === before) this.#driverWrote();
  }

  // ---- what can happen ----

  submit(lengths: readonly number[]): void {
    this.#offer(0, lengths);
  }
  post(lengths: readonly number[]): void {
    this.#offer(1, lengths);
  }

  #some(which: number): Kept | undefined {
    this.#kept = this.#kept.filter(({ request }) => request.live);
    return this.#kept[which % Math.max(1, this.#kept.length)];
  }
  #bytesOf(length: number): Uint8Array {
    this.#fill = (this.#fill % 255) + 1;
    return new Uint8Array(length).fill(this.#fill);
  }
  /** The handler writes a part of its answer. */
  write(which: number, length: number): void {
    const kept = this.#some(which);
    if (kept !== undefined && "reply" in kept.request) kept.request.reply.write(this.#bytesOf(length));
  }
  answer(which: number): void {
    const kept = this.#some(which);
    if (kept !== undefined && "reply" in kept.request) kept.request.complete("OK");
  }
  /** The handler gives up, after it may have written something. */
  fail(which: number): void {
    this.#some(which)?.fail();
  }
  send(length: number): void {
    this.#device.eventq.send({ kind: this.#bytesOf(1)[0] ?? 0, data: this.#bytesOf(length) });
  }
  /** A message that turns out shorter than it said, when half of it is written. */
  misfit(length: number): void {
    const sizes = [length + 1, length];
    const data = (): Uint8Array => this.#bytesOf(sizes.shift() ?? length);
    const event: EchoEvent = {
      kind: 1,
      get data() {
        return data();
      },
    };
    try {
      this.#device.eventq.send(event);
    } catch {
      // It says so.
    }
  }
  room(): void {
    expect(this.#device.eventq.room).toBeGreaterThanOrEqual(0);
  }
  reset(index: 0 | 1): void {
    this.#side.queue(index)?.reset();
    this.#rings[index]?.dispose();
    this.#buffers[index]?.clear();
    this.#look();
    this.#rings[index] = this.#driver.queue(index, SIZE);
  }
  move(): void {
    this.#device.memoryMoved();
  }
  pause(): void {
    this.#device.setMemoryAccess(false);
    this.#device.setMemoryAccess(true);
  }
  async save(): Promise<void> {
    this.#side.transport.restore(await this.#side.transport.save());
  }
}

type Step = (watched: Watched) => void | Promise<void>;

const which = fc.nat(7);
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 });
const length = fc.nat(60);
/** Steps with their weights; named, so that a failure can be read. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ submit: lengths }) },
  { weight: 4, arbitrary: fc.record({ answer: which }) },
  { weight: 3, arbitrary: fc.record({ write: fc.tuple(which, length) }) },
  { weight: 2, arbitrary: fc.record({ fail: which }) },
  { weight: 5, arbitrary: fc.record({ post: lengths }) },
  { weight: 3, arbitrary: fc.record({ send: length }) },
  { weight: 2, arbitrary: fc.record({ misfit: length }) },
  { weight: 2, arbitrary: fc.record({ room: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ reset: fc.constantFrom(...QUEUES) }) },
  { weight: 1, arbitrary: fc.record({ again: fc.constantFrom("move" as const, "pause" as const, "save" as const) }) },
);

function taking(one: typeof step extends fc.Arbitrary<infer Value> ? Value : never): Step {
  if ("submit" in one) return (watched) => watched.submit(one.submit);
  if ("answer" in one) return (watched) => watched.answer(one.answer);
  if ("write" in one) return (watched) => watched.write(...one.write);
  if ("fail" in one) return (watched) => watched.fail(one.fail);
  if ("post" in one) return (watched) => watched.post(one.post);
  if ("send" in one) return (watched) => watched.send(one.send);
  if ("misfit" in one) return (watched) => watched.misfit(one.misfit);
  if ("room" in one) return (watched) => watched.room();
  if ("reset" in one) return (watched) => watched.reset(one.reset);
  return (watched) => watched[one.again]();
}

const features = fc.subarray([
  CommonFeature.EVENT_IDX,
  CommonFeature.INDIRECT_DESC,
  CommonFeature.IN_ORDER,
  CommonFeature.RING_PACKED,
  EchoFeature.MERGE,
]);

describe.each(["PCI", "MMIO"] as const)("memory that a device writes over %s", (name) => {
  it("is told, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(
        features,
        fc.boolean(),
        fc.array(step, { minLength: 1, maxLength: 40 }),
        async (accepted, oneThread, steps) => {
          const watched = new Watched(name, accepted, oneThread);
          await watched.check();
          for (const one of steps) {
            await taking(one)(watched);
            await watched.check();
          }
        },
      ),
      {
        numRuns: 60,
        // What was missed before.
        examples: [
          [[], true, [{ post: [1] }, { room: true }]],
          [[], true, [{ submit: [9] }, { write: [0, 5] }, { reset: 0 }]],
          [[], true, [{ submit: [30] }, { write: [0, 25] }, { again: "move" }, { fail: 0 }]],
          [[], true, [{ post: [50] }, { misfit: 40 }, { send: 5 }]],
        ],
      },
    );
  }, 120_000);
});
