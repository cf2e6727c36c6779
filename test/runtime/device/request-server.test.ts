import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CommonFeature,
  FeatureSet,
  GuestMemory,
  ProtocolError,
  ReadableBytes,
  RequestServer,
  RequestSlot,
  WritableBytes,
  type DeviceQueue,
  type HandlerResult,
} from "../../../src/runtime/index.js";
import { EchoDevice, type EchoRequest } from "../fixtures/echo-device.js";
import { RawDriver } from "../fixtures/raw-driver.js";
import "../../seed.js";

function setup(requestq: (request: EchoRequest) => HandlerResult, features: readonly number[] = [], size = 16) {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT"],
    config: { level: 0, maxData: 0 },
    requestq,
    onProtocolError: (error) => errors.push(error),
  });
  const driver = new RawDriver(device);
  driver.negotiate(features);
  const queue = driver.queue(0, size);
  driver.ready();
  return { device, driver, queue, errors };
}

function head(operation: number, cookie = 0n): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, operation, true);
  view.setBigUint64(8, cookie, true);
  return bytes;
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function answer(request: EchoRequest): HandlerResult {
  switch (request.operation) {
    case "ECHO":
      request.reply.write(request.data.toUint8Array());
      return request.complete("OK");
    case "COUNT": {
      let ones = 0;
      for (const byte of request.data.toUint8Array()) ones += byte.toString(2).replaceAll("0", "").length;
      return request.complete({ ones, bytes: request.data.length, status: "OK" });
    }
    default:
      return request.complete("UNSUPP");
  }
}

describe("RequestServer", () => {
  it.each([
    ["nothing to read", 0, 1],
    ["a head that is too short", 15, 1],
    ["no room for the status", 16, 0],
  ])("completes a malformed request without a byte and reports it: %s", (_what, readable, writable) => {
    const { driver, queue, errors } = setup(answer);
    queue.begin();
    if (readable > 0) queue.addReadable(driver.write(head(0).subarray(0, readable)), readable);
    if (writable > 0) queue.addWritable(driver.write(new Uint8Array(writable)), writable);
    const token = queue.end();
    queue.kick();
    expect(queue.poll()).toBe(token);
    expect(queue.lastWritten).toBe(0);
    expect(errors).toMatchObject([{ name: "ProtocolError", rule: "message-malformed" }]);
    expect(errors[0]).toBeInstanceOf(ProtocolError);
  });

  it("reads the head once: what the driver changes later does not matter", async () => {
    const seen: unknown[] = [];
    const { driver, queue } = setup(async (request) => {
      await Promise.resolve();
      seen.push(request.operation, request.cookie);
      return request.operation === "ECHO" ? request.complete("OK") : undefined;
    });
    const address = driver.write(head(0, 7n));
    queue.begin();
    queue.addReadable(address, 16);
    queue.addWritable(driver.write(new Uint8Array(1)), 1);
    queue.end();
    queue.kick();
    driver.memory.regions[0]?.bytes.fill(0xff, address - 0x1000, address - 0x1000 + 16);
    await turn();
    expect(seen).toEqual(["ECHO", 7n]);
  });

  it("uses a request object a slot again, and makes it when the slot is first used", () => {
    const seen: EchoRequest[] = [];
    const { driver, queue } = setup((request) => {
      seen.push(request);
      return answer(request);
    });
    for (let i = 0; i < 5; i++) {
      queue.begin();
      queue.addReadable(driver.write(head(0, BigInt(i))), 16);
      queue.addWritable(driver.write(new Uint8Array(1)), 1);
      queue.end();
      queue.kick();
      expect(queue.poll()).toBeGreaterThanOrEqual(0);
    }
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]?.live).toBe(false);
  });

  it("tells a late completion of a request that it is stale", () => {
    const kept: EchoRequest[] = [];
    const { driver, queue, device } = setup((request) => {
      kept.push(request);
    });
    queue.begin();
    queue.addReadable(driver.write(head(9)), 16);
    queue.addWritable(driver.write(new Uint8Array(1)), 1);
    queue.end();
    queue.kick();
    const [request] = kept;
    expect(request?.live).toBe(true);
    const complete = (): unknown => (request?.operation === 9 ? request.complete("OK") : undefined);
    expect(complete()).toBe("completed");
    expect(request?.live).toBe(false);
    expect(complete()).toBe("stale");
    device.writeStatus(0);
    expect(complete()).toBe("stale");
  });

  it("does not let a handler that rejects late touch the slot's next request", async () => {
    let calls = 0;
    const { driver, queue, errors } = setup(async (request) => {
      const call = calls++;
      if (call > 0) return;
      void answer(request);
      await turn();
      throw new Error("late");
    });
    const post = (): void => {
      queue.begin();
      queue.addReadable(driver.write(head(0)), 16);
      queue.addWritable(driver.write(new Uint8Array(1)), 1);
      queue.end();
      queue.kick();
    };
    post();
    expect(queue.poll()).toBeGreaterThanOrEqual(0);
    post();
    await turn();
    await turn();
    expect(calls).toBe(2);
    expect(errors.map((error) => error.message)).toEqual(["handler of queue 0: late"]);
    expect(queue.poll()).toBe(-1);
  });

  it("completes the request of a handler that rejects", async () => {
    const { driver, queue, errors } = setup(() => Promise.reject(new Error("no disk")));
    queue.begin();
    queue.addReadable(driver.write(head(0)), 16);
    queue.addWritable(driver.write(new Uint8Array(8)), 8);
    const token = queue.end();
    queue.kick();
    expect(queue.poll()).toBe(-1);
    await turn();
    expect(queue.poll()).toBe(token);
    expect(queue.lastWritten).toBe(0);
    expect(errors).toMatchObject([{ name: "HandlerError", message: "handler of queue 0: no disk" }]);
  });

  it("goes on where the answer of a failure cannot be made, and reports both errors", () => {
    let calls = 0;
    const { driver, queue, errors } = setup((request) => {
      if (calls++ > 0) return answer(request);
      if (!(request instanceof RequestSlot)) throw new Error("no slot");
      request.fail = () => {
        throw new RangeError("too large");
      };
      throw new Error("no disk");
    });
    const tokens = [0, 0].map(() => {
      queue.begin();
      queue.addReadable(driver.write(head(0)), 16);
      queue.addWritable(driver.write(new Uint8Array(8)), 8);
      return queue.end();
    });
    queue.kick();
    expect([queue.poll(), queue.poll()]).toEqual(tokens);
    expect(calls).toBe(2);
    expect(errors.map(({ message }) => message)).toEqual([
      "handler of queue 0: no disk",
      "answer of a failure on queue 0: too large",
    ]);
  });

  it("completes in any order", () => {
    const kept: (() => unknown)[] = [];
    const { driver, queue } = setup((request) => {
      const { operation } = request;
      if (operation === "ECHO") kept.push(() => request.complete("OK"));
    });
    const tokens: number[] = [];
    for (let i = 0; i < 4; i++) {
      queue.begin();
      queue.addReadable(driver.write(head(0)), 16);
      queue.addWritable(driver.write(new Uint8Array(1)), 1);
      tokens.push(queue.end());
    }
    queue.kick();
    const polled: (number | undefined)[] = [];
    for (const i of [2, 0, 3, 1]) {
      kept[i]?.();
      polled.push(queue.poll());
    }
    expect(polled).toEqual([tokens[2], tokens[0], tokens[3], tokens[1]]);
  });

  describe("with a queue that never ends", () => {
    class PlainSlot extends RequestSlot {
      protected override decode(): undefined {
        if (this.slot === 3) throw new Error("a mistake in decode");
        return undefined;
      }
      override toJSON(): object {
        return {};
      }
    }

    function endless(): DeviceQueue & { taken: number; flushes: number; readonly written: number[] } {
      const part = {
        readable: new ReadableBytes(),
        writable: new WritableBytes(),
        live: true,
        readableLength: 0,
        writableLength: 0,
        id: 0,
        entries: 1,
        save: () => [],
        locations: () => [],
        copyHead: (target: Uint8Array) => part.readable.read(target, 0, 0, target.length),
        setLastByte: (value: number) => part.writable.setByte(part.writable.length - 1, value),
      };
      return {
        index: 0,
        size: 4,
        memory: GuestMemory.flat(16),
        broken: undefined,
        taken: 0,
        flushes: 0,
        written: [],
        take() {
          return { slot: this.taken++ % 4, ...part };
        },
        complete(_chain, written) {
          this.written.push(written);
          return "completed";
        },
        flush() {
          this.flushes++;
        },
        publish: () => undefined,
        enableNotifications: () => false,
        disableNotifications: () => undefined,
        position: { available: 0, used: 0, availableWrap: 1, usedWrap: 1 },
        inFlight: () => [],
        dispose: () => undefined,
      };
    }

    it("takes as many requests as the queue has entries, and says that there may be more", () => {
      const errors: Error[] = [];
      const queue = endless();
      const server = new RequestServer({
        createSlot: (host, slot) => new PlainSlot(host, slot, 4),
        handle: (slot) => slot.abandon(),
        report: (error) => errors.push(error),
      });
      server.start(queue, FeatureSet.none);
      expect(server.notified()).toBe(true);
      expect([queue.taken, queue.flushes]).toEqual([4, 1]);
      expect(server.notified()).toBe(true);
      expect([queue.taken, queue.flushes, server.inFlight]).toEqual([8, 2, 0]);
      // A slot that fails to decode is a mistake of the program: reported, and its request completed.
      expect(queue.written).toEqual(Array<number>(8).fill(0));
      expect(errors.map((error) => error.message)).toEqual(
        Array<string>(2).fill("request on queue 0: a mistake in decode"),
      );
    });
  });

  it("notifies the driver once for a batch that is completed at once", () => {
    const { driver, queue } = setup(answer);
    for (let i = 0; i < 8; i++) {
      queue.begin();
      queue.addReadable(driver.write(head(0)), 16);
      queue.addWritable(driver.write(new Uint8Array(1)), 1);
      queue.end();
    }
    queue.kick();
    expect(driver.interrupts).toEqual([0]);
  });

  it("gives the same answers however the streams are cut into descriptors", () => {
    const cuts = (max: number): fc.Arbitrary<number[]> => fc.array(fc.nat(max), { maxLength: 8 });
    const request = fc.record({
      operation: fc.constantFrom(0, 1, 5),
      data: fc.uint8Array({ maxLength: 48 }),
      room: fc.nat(40),
      readableCuts: cuts(64),
      writableCuts: cuts(49),
      indirect: fc.boolean(),
      eventIdx: fc.boolean(),
    });
    fc.assert(
      fc.property(request, ({ operation, data, room, readableCuts, writableCuts, indirect, eventIdx }) => {
        const features = [
          ...(indirect ? [CommonFeature.INDIRECT_DESC] : []),
          ...(eventIdx ? [CommonFeature.EVENT_IDX] : []),
        ];
        const run = (reads: readonly number[], writes: readonly number[]): unknown => {
          const { driver, queue, errors } = setup(answer, features, 32);
          const readable = Uint8Array.of(...head(operation), ...data);
          const writable = operation === 1 ? 9 : room + 1;
          queue.begin();
          for (const piece of pieces(readable.length, reads)) {
            queue.addReadable(driver.write(readable.subarray(piece.start, piece.end)), piece.end - piece.start);
          }
          const parts: { address: number; length: number }[] = [];
          for (const piece of pieces(writable, writes)) {
            const length = piece.end - piece.start;
            const address = driver.write(new Uint8Array(length));
            parts.push({ address, length });
            queue.addWritable(address, length);
          }
          const token = queue.end();
          queue.kick();
          expect(queue.poll()).toBe(token);
          const reply = parts.flatMap(({ address, length }) => [...driver.read(address, length)]);
          return { reply, written: queue.lastWritten, errors: errors.length };
        };
        expect(run(readableCuts, writableCuts)).toEqual(run([], []));
      }),
      { numRuns: 60 },
    );
  });
});

/** Cuts `length` bytes at these positions. */
function pieces(length: number, cuts: readonly number[]): { start: number; end: number }[] {
  const edges = [0, ...cuts.filter((cut) => cut < length).sort((a, b) => a - b), length];
  return edges.slice(1).map((end, i) => ({ start: edges[i] ?? 0, end }));
}
