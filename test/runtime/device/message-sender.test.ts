import { describe, expect, it } from "vitest";
import { CodecError, type DriverQueue } from "../../../src/runtime/index.js";
import { EchoDevice } from "../fixtures/echo-device.js";
import { EchoFeature } from "../fixtures/echo-protocol.js";
import { RawDriver } from "../fixtures/raw-driver.js";

function setup({ merge = false, size = 8 } = {}) {
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["MERGE"],
    config: { level: 0, maxData: 0 },
    requestq: () => undefined,
    onProtocolError: (error) => errors.push(error),
  });
  const driver = new RawDriver(device);
  driver.negotiate(merge ? [EchoFeature.MERGE] : []);
  const queue = driver.queue(1, size);
  driver.ready();
  const buffers = new Map<number, { address: number; length: number }>();
  const post = (...lengths: number[]): void => {
    for (const length of lengths) {
      const address = driver.write(new Uint8Array(length));
      queue.begin();
      queue.addWritable(address, length);
      buffers.set(queue.end(), { address, length });
    }
    queue.kick();
  };
  const received = (): number[][] =>
    used(queue).map(({ token, written }) => {
      return [...driver.read(buffers.get(token)?.address ?? 0, written)];
    });
  return { device, driver, queue, errors, post, received };
}

function used(queue: DriverQueue): { token: number; written: number }[] {
  const found: { token: number; written: number }[] = [];
  for (let token = queue.poll(); token >= 0; token = queue.poll()) found.push({ token, written: queue.lastWritten });
  return found;
}

const event = (kind: number, ...data: number[]) => ({ kind, data: Uint8Array.from(data) });
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("MessageSender", () => {
  it("fills buffers in the order in which they were posted", () => {
    const { device, driver, post, received } = setup();
    expect(device.eventq.send(event(1))).toBe(false);
    post(16, 16);
    expect(device.eventq.send(event(1, 7, 8))).toBe(true);
    expect(device.eventq.send(event(2))).toBe(true);
    expect(device.eventq.send(event(3))).toBe(false);
    expect(received()).toEqual([
      [1, 0, 1, 0, 7, 8],
      [2, 0, 1, 0],
    ]);
    expect(driver.interrupts).toEqual([1, 1]);
  });

  it("counts buffers and room", () => {
    const { device, post } = setup();
    expect([device.eventq.available, device.eventq.room]).toEqual([0, 0]);
    post(16, 20);
    expect([device.eventq.available, device.eventq.room]).toEqual([2, 16]);
    device.eventq.send(event(1));
    expect([device.eventq.available, device.eventq.room]).toEqual([1, 20]);
  });

  it("can use all buffers of a queue, and over again", () => {
    const { device, post, received } = setup({ size: 4 });
    for (let round = 0; round < 5; round++) {
      post(8, 8, 8, 8);
      for (let i = 0; i < 4; i++) expect(device.eventq.send(event(round, i))).toBe(true);
      expect(device.eventq.send(event(9))).toBe(false);
      expect(received()).toEqual([0, 1, 2, 3].map((i) => [round, 0, 1, 0, i]));
    }
  });

  it("keeps a buffer that is too small for a message that fits, and reports it once", () => {
    const { device, post, received, errors } = setup();
    post(6);
    expect(device.eventq.send(event(1, 1, 2, 3))).toBe(false);
    expect(device.eventq.send(event(1, 1, 2, 3))).toBe(false);
    expect(errors).toMatchObject([{ rule: "message-too-long" }]);
    expect(device.eventq.send(event(1, 1, 2))).toBe(true);
    expect(received()).toEqual([[1, 0, 1, 0, 1, 2]]);
    post(6);
    expect(device.eventq.send(event(1, 1, 2, 3))).toBe(false);
    expect(errors).toHaveLength(2);
  });

  it("writes to a buffer of several pieces", () => {
    const { device, driver, queue } = setup();
    const first = driver.write(new Uint8Array(3));
    const second = driver.write(new Uint8Array(9));
    queue.begin();
    queue.addWritable(first, 3);
    queue.addWritable(second, 9);
    queue.end();
    queue.kick();
    expect(device.eventq.send(event(1, 5, 6))).toBe(true);
    expect([...driver.read(first, 3), ...driver.read(second, 3)]).toEqual([1, 0, 1, 0, 5, 6]);
    expect(used(queue)).toMatchObject([{ written: 6 }]);
  });

  it("gives back buffers that it cannot write to, or that have something to read", () => {
    const { device, driver, queue, errors } = setup();
    const address = driver.write(new Uint8Array(8));
    queue.begin();
    queue.addReadable(address, 8);
    queue.end();
    queue.begin();
    queue.addReadable(address, 4);
    queue.addWritable(address + 4, 4);
    queue.end();
    queue.kick();
    expect(device.eventq.send(event(1))).toBe(false);
    expect(used(queue)).toMatchObject([{ written: 0 }, { written: 0 }]);
    expect(errors).toMatchObject([{ rule: "buffer-direction" }, { rule: "buffer-direction" }]);
  });

  it("spreads a message over buffers where that was negotiated, and says how many", () => {
    const { device, post, received, driver } = setup({ merge: true });
    post(5, 5, 5, 5);
    expect(device.eventq.room).toBe(20);
    expect(device.eventq.send(event(1, 1, 2, 3, 4, 5, 6, 7))).toBe(true);
    expect(device.eventq.send(event(2))).toBe(true);
    expect(received()).toEqual([[1, 0, 3, 0, 1], [2, 3, 4, 5, 6], [7], [2, 0, 1, 0]]);
    // One notice for the message, so that the driver never sees half of it.
    expect(driver.interrupts).toEqual([1, 1]);
  });

  it("sends nothing of a message for which the buffers are not enough", () => {
    const { device, post, received, errors } = setup({ merge: true });
    post(5, 5);
    expect(device.eventq.send(event(1, 1, 2, 3, 4, 5, 6, 7))).toBe(false);
    expect(received()).toEqual([]);
    expect(errors).toEqual([]);
    post(1);
    expect(device.eventq.send(event(1, 1, 2, 3, 4, 5, 6, 7))).toBe(true);
    expect(received().map((bytes) => bytes.length)).toEqual([5, 5, 1]);
  });

  it("puts the count where it belongs even if it is cut in two", () => {
    const { device, post, received } = setup({ merge: true });
    post(3, 1, 1, 1);
    expect(device.eventq.send(event(0x0201, 9))).toBe(true);
    expect(received()).toEqual([[1, 2, 3], [0], [9]]);
  });

  it("tells of buffers when there are some", async () => {
    const { device, post } = setup();
    let calls = 0;
    device.eventq.onAvailable = () => {
      calls++;
      device.eventq.send(event(1));
    };
    await turn();
    expect(calls).toBe(0);
    device.eventq.send(event(1));
    post(8, 8);
    expect(calls).toBe(1);
  });

  it("reports a listener that throws", () => {
    const { device, post, errors } = setup();
    device.eventq.onAvailable = () => {
      throw new Error("mine");
    };
    post(8);
    expect(errors).toMatchObject([{ name: "HandlerError", message: "onAvailable: mine" }]);
  });

  it("throws what the author did wrong, and loses no buffer by it", () => {
    const { device, post, received } = setup();
    post(8);
    expect(() => device.eventq.send(event(70000))).toThrow(CodecError);
    expect(device.eventq.send(event(7))).toBe(true);
    expect(received()).toEqual([[7, 0, 1, 0]]);
  });

  it("has nothing to send to after a reset", () => {
    const { device, post } = setup();
    post(8, 8);
    expect(device.eventq.send(event(1))).toBe(true);
    device.writeStatus(0);
    expect(device.eventq.send(event(1))).toBe(false);
    expect([device.eventq.available, device.eventq.room]).toEqual([0, 0]);
  });
});
