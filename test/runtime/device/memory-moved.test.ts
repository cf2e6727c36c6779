import { describe, expect, test } from "vitest";
import { EntropyDevice, type EntropyRequest } from "../../../generated/entropy.js";
import { CommonFeature, GuestMemory, type DriverQueue } from "../../../src/runtime/index.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import { directSide, type RawQueue } from "../fixtures/raw-side.js";

const START = 0x1000;
const LENGTH = 1 << 20;

/**
 * A device whose guest memory moves, as a WebAssembly.Memory does when it grows. The driver has a copy of its own, so that
 * it does not lose its views then; the copies are made equal whenever the other side goes on.
 */
class MovingMemory {
  readonly memory: GuestMemory;
  readonly driver: RawDriver;
  readonly errors: Error[] = [];
  #buffer = new ArrayBuffer(LENGTH);

  readonly device: EntropyDevice;

  constructor(device: EntropyDevice) {
    this.device = device;
    device.onProtocolError = (error) => this.errors.push(error);
    this.memory = new GuestMemory([{ start: START, bytes: this.#view() }], { oneThread: true });
    this.driver = new RawDriver(device, {
      side: (served, told) => {
        const side = directSide(served, { ...told, memory: this.memory });
        return { ...side, queue: (index) => this.#queue(side.queue(index)) };
      },
    });
  }

  /** The driver goes on: it sees what the device has written. */
  toDriver(): void {
    this.#driverBytes().set(this.#view());
  }
  toDevice(): void {
    this.#view().set(this.#driverBytes());
  }

  /** Every view that there was before is empty afterwards. */
  move(): void {
    const old = this.#view();
    this.#buffer = structuredClone(this.#buffer, { transfer: [this.#buffer] });
    expect(old.length).toBe(0);
    this.memory.replace([{ start: START, bytes: this.#view() }]);
    this.device.memoryMoved();
  }

  #queue(queue: RawQueue | undefined): RawQueue | undefined {
    if (queue === undefined) return undefined;
    return {
      get enabled() {
        return queue.enabled;
      },
      get resetting() {
        return queue.resetting;
      },
      get addresses() {
        return queue.addresses;
      },
      get epoch() {
        return queue.epoch;
      },
      reset: () => queue.reset(),
      configure: (addresses) => queue.configure(addresses),
      enable: () => {
        this.toDevice();
        return queue.enable();
      },
      notify: () => {
        this.toDevice();
        queue.notify();
        this.toDriver();
      },
    };
  }

  #view(): Uint8Array {
    return new Uint8Array(this.#buffer);
  }
  #driverBytes(): Uint8Array {
    const bytes = this.driver.memory.regions[0]?.bytes;
    if (bytes === undefined) throw new Error("no memory");
    return bytes;
  }
}

const { EVENT_IDX, RING_PACKED, IN_ORDER } = CommonFeature;
const forms = [[], [EVENT_IDX], [RING_PACKED], [RING_PACKED, EVENT_IDX], [IN_ORDER], [RING_PACKED, IN_ORDER]];

/** A source of random bytes: each request is answered with the next byte, when the test says so. */
function start(bits: readonly number[]) {
  const open: EntropyRequest[] = [];
  const features = (["RING_PACKED", "IN_ORDER"] as const).filter((name) => bits.includes(CommonFeature[name]));
  const device = new EntropyDevice({
    features,
    requestq: (request) =>
      new Promise<never>(() => {
        open.push(request);
      }),
  });
  const machine = new MovingMemory(device);
  machine.driver.negotiate(bits);
  const queue = machine.driver.queue(0, 8);
  const answer = (byte: number): string => {
    const request = open.shift();
    if (request === undefined) throw new Error("nothing is open");
    request.data.write(Uint8Array.of(byte));
    return request.complete();
  };
  return { device, machine, queue, open, answer };
}

function ask(queue: DriverQueue, address: number): number {
  queue.begin();
  queue.addWritable(address, 1);
  const token = queue.end();
  queue.kick();
  return token;
}

describe.each(forms)("memory that moves, features %j %j", (...bits) => {
  const chosen = bits.filter((bit) => typeof bit === "number");

  test("between requests, on many laps of the ring", async () => {
    const { machine, queue, open, answer } = start(chosen);
    machine.driver.ready();
    for (let round = 0; round < 50; round++) {
      const address = START + LENGTH - 64 + (round % 8);
      const token = ask(queue, address);
      await Promise.resolve();
      expect(open.length).toBe(1);
      expect(answer(round)).toBe("completed");
      machine.toDriver();
      expect(queue.poll()).toBe(token);
      expect(machine.driver.read(address, 1)[0]).toBe(round);
      if (round % 3 === 0) machine.move();
    }
    expect(machine.errors).toEqual([]);
  });

  test("with requests in flight: they are served again, each once, and the old ones are stale", async () => {
    const { machine, queue, open, answer } = start(chosen);
    machine.driver.ready();
    const first = START + LENGTH - 64;
    const tokens = [0, 1, 2].map((index) => ask(queue, first + index));
    await Promise.resolve();
    expect(open.length).toBe(3);
    const old = open.splice(0);
    machine.move();
    await new Promise((resolve) => setImmediate(resolve));
    expect(open.length).toBe(3);
    for (const request of old) {
      request.data.write(Uint8Array.of(0xee));
      expect(request.complete()).toBe("stale");
    }
    for (const byte of [1, 2, 3]) expect(answer(byte)).toBe("completed");
    machine.toDriver();
    expect([queue.poll(), queue.poll(), queue.poll(), queue.poll()]).toEqual([...tokens, -1]);
    expect([...machine.driver.read(first, 3)]).toEqual([1, 2, 3]);
    expect(machine.driver.interrupts.length).toBeGreaterThan(0);
    expect(machine.errors).toEqual([]);
  });

  test("before the driver is ready", async () => {
    const { machine, queue, open, answer } = start(chosen);
    const address = START + LENGTH - 64;
    machine.move();
    machine.driver.ready();
    machine.move();
    const token = ask(queue, address);
    await new Promise((resolve) => setImmediate(resolve));
    expect(open.length).toBe(1);
    expect(answer(7)).toBe("completed");
    machine.toDriver();
    expect(queue.poll()).toBe(token);
    expect(machine.errors).toEqual([]);
  });

  test("while the device may not reach it", async () => {
    const { device, machine, queue, open, answer } = start(chosen);
    machine.driver.ready();
    const address = START + LENGTH - 64;
    const token = ask(queue, address);
    device.setMemoryAccess(false);
    machine.move();
    device.setMemoryAccess(true);
    await new Promise((resolve) => setImmediate(resolve));
    open.splice(0, open.length - 1);
    expect(answer(9)).toBe("completed");
    machine.toDriver();
    expect(queue.poll()).toBe(token);
    expect(machine.driver.read(address, 1)[0]).toBe(9);
    expect(machine.errors).toEqual([]);
  });
});
