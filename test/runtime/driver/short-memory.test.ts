import { describe, expect, it } from "vitest";
import { GuestMemory, type CommonFeatureName } from "../../../src/runtime/index.js";
import { loopback } from "../../../src/runtime/transport/loopback/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { EchoDriver } from "../fixtures/echo-driver.js";
import { RecordingTransport } from "../fixtures/recording-transport.js";

// Queues that are enabled when guest memory is short: a ring that fits, with buffers that do not.

const BUFFER = 4096;
const input = { operation: "ECHO", cookie: 0n, data: Uint8Array.of(1), reply: 1 } as const;

async function connect() {
  const features: readonly CommonFeatureName[] = ["RING_RESET"];
  const device = new EchoDevice({
    features,
    config: { level: 1, maxData: 2 },
    requestq: (request) => (request.operation === "ECHO" ? request.complete("OK") : undefined),
  });
  const inner = loopback(device, { memory: GuestMemory.flat(1 << 18, 0x1000) });
  const { allocator } = inner;
  const free = allocator.bytesFree;
  const seen: number[] = [];
  const errors: Error[] = [];
  const transport = new RecordingTransport(inner);
  const driver = await EchoDriver.start(transport, {
    features,
    queueSize: 8,
    eventq: (event) => void seen.push(event.kind),
    eventqBuffers: { count: 8, size: BUFFER },
    onError: (error) => errors.push(error),
  });
  const taken: number[] = [];
  /** Leaves so many pieces of `size` bytes, each apart from the others, and nothing else. */
  const leave = (pieces: number, size: number): void => {
    const left: number[] = [];
    for (let i = 0; i < pieces; i++) {
      left.push(allocator.allocate(size));
      taken.push(allocator.allocate(16));
    }
    for (let piece = 1 << 18; piece >= 16; piece /= 2) {
      for (let isFull = false; !isFull;) {
        try {
          taken.push(allocator.allocate(piece));
        } catch {
          isFull = true;
        }
      }
    }
    for (const address of left) allocator.free(address);
  };
  const giveBack = (): void => {
    for (const address of taken.splice(0)) allocator.free(address);
  };
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  /** A message that arrives. */
  const receive = async (kind: number): Promise<void> => {
    await turn();
    expect(device.eventq.send({ kind, data: new Uint8Array(3) })).toBe(true);
    await expect.poll(() => seen).toContain(kind);
  };
  return { device, driver, inner, transport, allocator, free, errors, leave, giveBack, receive };
}

describe("a receive queue that is enabled with memory for no buffer", () => {
  it("stays disabled, says so, and works when it is enabled with enough", async () => {
    const { device, driver, inner, allocator, free, errors, leave, giveBack, receive } = await connect();
    await receive(1);
    await driver.resetQueue("eventq");
    // The parts of a ring and its indirect tables fit into these, a buffer does not.
    leave(8, 1024);
    const before = allocator.bytesFree;
    await expect(driver.enableQueue("eventq")).rejects.toMatchObject({ name: "OutOfGuestMemory", size: BUFFER });
    expect(inner.queueEnabled(1)).toBe(false);
    expect(allocator.bytesFree).toBe(before);
    // Not as if it were enabled: it is refused again, for the same reason.
    await expect(driver.enableQueue("eventq")).rejects.toMatchObject({ name: "OutOfGuestMemory" });
    await driver.resetQueue("eventq");
    giveBack();
    await driver.enableQueue("eventq");
    await receive(2);
    expect(await driver.requestq.submit(input)).toMatchObject({ status: "OK" });
    expect(errors).toEqual([]);
    expect(device.live).toBe(true);
    await driver.stop();
    expect(allocator.bytesFree).toBe(free);
  });

  it("after a reset for another size, too; enabled again it has the size from before", async () => {
    const { device, driver, inner, allocator, free, errors, leave, giveBack, receive } = await connect();
    await driver.resetQueue("eventq");
    leave(8, 1024);
    await expect(driver.resizeQueue("eventq", 4)).rejects.toMatchObject({ name: "OutOfGuestMemory" });
    expect(inner.queueEnabled(1)).toBe(false);
    giveBack();
    await driver.enableQueue("eventq");
    await expect.poll(() => device.eventq.available).toBe(8);
    await receive(1);
    await driver.stop();
    expect(allocator.bytesFree).toBe(free);
    expect(errors).toEqual([]);
  });

  it("leaves the driver to be stopped, and nothing behind", async () => {
    const { driver, allocator, free, leave, giveBack } = await connect();
    await driver.resetQueue("eventq");
    leave(8, 1024);
    await expect(driver.enableQueue("eventq")).rejects.toMatchObject({ name: "OutOfGuestMemory" });
    await driver.stop();
    giveBack();
    expect(allocator.bytesFree).toBe(free);
  });
});

describe("a receive queue that is enabled with memory for some of its buffers", () => {
  it("has those", async () => {
    const { device, driver, allocator, free, errors, leave, giveBack, receive } = await connect();
    await driver.resetQueue("eventq");
    // One of them for the parts of the ring and its indirect tables.
    leave(3, BUFFER);
    await driver.enableQueue("eventq");
    await receive(1);
    expect(device.eventq.available).toBe(2);
    await receive(2);
    await driver.stop();
    giveBack();
    expect(allocator.bytesFree).toBe(free);
    expect(errors).toEqual([]);
  });
});

describe("a driver that is stopped while a receive queue is being enabled", () => {
  it("gives its buffers back", async () => {
    const { driver, inner, transport, allocator, free } = await connect();
    await driver.resetQueue("eventq");
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const { enableQueue } = transport;
    let isEnabled = false;
    transport.enableQueue = async (index, addresses) => {
      await enableQueue(index, addresses);
      isEnabled = true;
      await answered;
    };
    const refused = expect(driver.enableQueue("eventq")).rejects.toMatchObject({ rule: "stopped" });
    await expect.poll(() => isEnabled).toBe(true);
    await driver.stop();
    answer();
    await refused;
    expect(inner.queueEnabled(1)).toBe(false);
    expect(allocator.bytesFree).toBe(free);
  });
});
