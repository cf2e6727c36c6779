// What the guest allows a function in its command register: to decode its BARs, and to reach memory.
import { describe, expect, it } from "vitest";
import { CommonFeature, DeviceStatus, ProtocolError, type Completion } from "../../../../src/runtime/index.js";
import type { PciTransportOptions } from "../../../../src/runtime/transport/pci/index.js";
import { EchoDevice, type EchoRequest } from "../../fixtures/echo-device.js";
import { RawDriver } from "../../fixtures/raw-driver.js";
import { capabilities, PciSide } from "../../fixtures/register-sides.js";

const COMMAND = 4;
const [IO, MEMORY, MASTER] = [1, 2, 4];
const SENTINEL = 0xa5;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function setup(options: Partial<PciTransportOptions> & { readonly messages?: boolean } = {}) {
  const requests: EchoRequest[] = [];
  const errors: Error[] = [];
  const device = new EchoDevice({
    features: ["COUNT", "RING_RESET", "RING_PACKED"],
    config: { level: 1, maxData: 2 },
    queueSize: 64,
    requestq: (request) => void requests.push(request),
    onProtocolError: (error) => errors.push(error),
  });
  let made: PciSide | undefined;
  const driver = new RawDriver(device, { side: (of, told) => (made = new PciSide(of, told, options)) });
  if (made === undefined) throw new Error("no side");
  const side = made;
  const { config } = side.transport;
  const command = (bits: number): void => config.write(COMMAND, 2, bits);
  const rules = (): string[] => errors.map((error) => (error instanceof ProtocolError ? error.rule : error.message));
  return { device, driver, side, config, command, requests, rules };
}
type Rig = ReturnType<typeof setup>;

function post({ driver }: Rig, ring: ReturnType<RawDriver["queue"]>) {
  const status = driver.write(Uint8Array.of(SENTINEL));
  ring.begin();
  ring.addReadable(driver.write(new Uint8Array(16)), 16);
  ring.addWritable(status, 1);
  const token = ring.end();
  ring.kick();
  return { token, status };
}
const answer = (request: EchoRequest | undefined): Completion | undefined =>
  request?.operation === "ECHO" ? request.complete("OK") : undefined;
const image = ({ driver }: Rig): Uint8Array => driver.memory.regions[0]?.bytes.slice() ?? new Uint8Array(0);
/** Comparing megabytes is quick; printing them is not. */
const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

describe("memory and I/O space", () => {
  it.each([
    ["memory", MEMORY],
    ["io", IO],
  ] as const)("a function in %s space answers while its space is enabled, and nobody answers otherwise", (bar, bit) => {
    const { device, side, command } = setup({ bar, messages: true });
    const [structures, table] = [side.bar(0), side.bar(1)];
    command(MASTER | (MEMORY + IO - bit));
    side.writeStatus(DeviceStatus.ACKNOWLEDGE);
    expect(device.status).toBe(0);
    expect([structures.read(0, 1), structures.read(0, 2), structures.read(0, 4)]).toEqual([255, 65535, 2 ** 32 - 1]);
    expect(structures.read64(0)).toBe(2n ** 64n - 1n);
    // The table is in memory space in any case.
    expect(table.read(0, 4)).toBe(bar === "io" ? 0xfee0_0000 : 2 ** 32 - 1);
    command(bit);
    expect(side.readStatus()).toBe(0);
    side.writeStatus(DeviceStatus.ACKNOWLEDGE);
    expect(device.status).toBe(DeviceStatus.ACKNOWLEDGE);
  });

  it("is not needed for the window in the configuration space", () => {
    const { side, config, command } = setup();
    command(0);
    const at = capabilities(config).find(({ type }) => type === 5)?.at ?? 0;
    const common = capabilities(config).find(({ type }) => type === 1)?.at ?? 0;
    config.write(at + 4, 1, 0);
    config.write(at + 8, 4, config.read(common + 8, 4) + 0x14);
    config.write(at + 12, 4, 1);
    config.write(at + 16, 1, DeviceStatus.ACKNOWLEDGE);
    expect(config.read(at + 16, 1)).toBe(DeviceStatus.ACKNOWLEDGE);
    command(MEMORY);
    expect(side.readStatus()).toBe(DeviceStatus.ACKNOWLEDGE);
  });
});

describe.each([
  ["split", []],
  ["packed", [CommonFeature.RING_PACKED]],
  ["split, event_idx", [CommonFeature.EVENT_IDX]],
] as const)("bus mastering, %s", (_, bits) => {
  function running(options: Parameters<typeof setup>[0] = {}) {
    const rig = setup(options);
    rig.driver.negotiate([CommonFeature.RING_RESET, ...bits]);
    const ring = rig.driver.queue(0);
    return { ...rig, ring };
  }

  it("a queue that is set up without it is served when it comes, with what was posted before", async () => {
    const rig = running();
    rig.command(MEMORY);
    rig.driver.ready();
    const { token } = post(rig, rig.ring);
    const before = image(rig);
    await turn();
    expect([rig.requests.length, rig.rules(), isSame(before, image(rig))]).toEqual([0, ["no-memory-access"], true]);
    expect(rig.side.queue(0)?.enabled).toBe(true);
    rig.command(MEMORY | MASTER);
    await turn();
    expect(rig.requests.map(answer)).toEqual(["completed"]);
    expect(rig.ring.poll()).toBe(token);
  });

  it("what is in flight when it goes touches nothing, and is served again when it comes", async () => {
    const rig = running({ messages: true });
    rig.driver.ready();
    const posted = [post(rig, rig.ring), post(rig, rig.ring), post(rig, rig.ring)];
    await turn();
    expect(answer(rig.requests.shift())).toBe("completed");
    expect(rig.ring.poll()).toBe(posted[0]?.token);
    const [old] = rig.requests.splice(0);
    if (old?.operation !== "ECHO") throw new Error("no request");
    expect(old.signal.aborted).toBe(false);
    rig.command(MEMORY);
    const before = image(rig);
    expect([old.signal.aborted, answer(old)]).toEqual([true, "stale"]);
    rig.side.queue(0)?.notify();
    await turn();
    expect([rig.requests.length, isSame(before, image(rig)), rig.side.queue(0)?.enabled]).toEqual([0, true, true]);
    rig.command(MEMORY | MASTER);
    await turn();
    expect(rig.requests.map(answer)).toEqual(["completed", "completed"]);
    expect([rig.ring.poll(), rig.ring.poll(), rig.ring.poll()]).toEqual([posted[1]?.token, posted[2]?.token, -1]);
    // And it goes on.
    const { token } = post(rig, rig.ring);
    await turn();
    expect([rig.requests.length, answer(rig.requests.at(-1)), rig.ring.poll()]).toEqual([3, "completed", token]);
  });

  it("messages wait for it", () => {
    const rig = running({ messages: true });
    rig.driver.ready();
    rig.command(MEMORY);
    rig.device.config.level = 9;
    expect([rig.side.messages.length, rig.side.line]).toEqual([0, []]);
    rig.command(MEMORY | MASTER);
    expect(rig.side.messages).toEqual([{ address: 0xfee0_0000, data: 0 }]);
  });

  it("resets of the queue and of the device do not wait for it, and a state can be taken without it", async () => {
    const rig = running();
    rig.driver.ready();
    post(rig, rig.ring);
    await turn();
    rig.command(MEMORY);
    const before = image(rig);
    const saved = await rig.side.transport.save();
    expect(saved.device.queues[0]?.inFlight).toHaveLength(1);
    rig.side.transport.restore(saved);
    expect(rig.side.queue(0)?.reset()).toBe(true);
    expect([rig.side.queue(0)?.enabled, rig.side.queue(0)?.resetting]).toEqual([false, false]);
    rig.command(MEMORY | MASTER);
    await turn();
    expect(rig.requests).toHaveLength(1);
    rig.command(MEMORY);
    rig.side.writeStatus(0);
    expect([rig.side.readStatus(), isSame(before, image(rig))]).toEqual([0, true]);
  });

  it("work that holds on to memory ends before the queue goes on", async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const rig = running();
    rig.driver.ready();
    post(rig, rig.ring);
    await turn();
    const [first] = rig.requests;
    if (first?.operation !== "ECHO") throw new Error("no request");
    const held = first.hold(() => gate);
    rig.command(MEMORY);
    rig.command(MEMORY | MASTER);
    await turn();
    expect(rig.requests).toHaveLength(1);
    release();
    await held;
    await turn();
    expect(rig.requests).toHaveLength(2);
  });
});
