import {
  CommonFeature,
  createDriverQueue,
  DeviceStatus,
  FeatureSet,
  ringLayout,
  type DriverQueue,
  type DriverTransport,
} from "../runtime/index.js";

/** What a byte holds that nobody should write to. */
export const SENTINEL = 0xa5;
const SPLIT = { indirect: false, eventIdx: false, packed: false, inOrder: false } as const;
const RESET_TIMEOUT = 2000;

interface Area {
  readonly address: number;
  readonly length: number;
}

/** A split ring that is set up by hand, of which every byte is known. */
export class ProbeQueue {
  readonly queue: DriverQueue;
  readonly #transport: DriverTransport;
  readonly #used: Area;
  readonly #areas: Area[];
  /** What broke the ring, in words. */
  broken: string | undefined;

  private constructor(transport: DriverTransport, index: number, areas: readonly [Area, Area, Area], size: number) {
    const [descriptor, driver, device] = areas;
    this.broken = undefined;
    this.#transport = transport;
    this.#used = device;
    this.#areas = [...areas];
    this.queue = createDriverQueue({
      index,
      memory: transport.memory,
      addresses: { size, descriptor: descriptor.address, driver: driver.address, device: device.address },
      features: SPLIT,
      notifyDevice: (next) => transport.notify(index, next),
      onBroken: (error) => (this.broken = error.message),
    });
  }

  /** Allocates a ring, and enables the queue with it. */
  static async enable(transport: DriverTransport, index: number, size: number): Promise<ProbeQueue> {
    const layout = ringLayout(size, SPLIT);
    const area = (length: number, alignment: number): Area => ({
      address: transport.allocator.allocate(length, alignment),
      length,
    });
    const descriptor = area(layout.descriptorBytes, layout.descriptorAlignment);
    const driver = area(layout.driverBytes, layout.driverAlignment);
    const device = area(layout.deviceBytes, layout.deviceAlignment);
    const queue = new ProbeQueue(transport, index, [descriptor, driver, device], size);
    await transport.enableQueue(index, {
      size,
      descriptor: descriptor.address,
      driver: driver.address,
      device: device.address,
    });
    return queue;
  }

  /** Makes a buffer available: what the device reads, and rooms for what it writes. The device is told by `queue.kick()`. */
  post(readable: Uint8Array, writable: readonly number[]): void {
    this.queue.begin();
    if (readable.length > 0) {
      const address = this.#area(readable.length);
      bytesAt(this.#transport, address, readable.length).set(readable);
      this.queue.addReadable(address, readable.length);
    }
    for (const length of writable) this.queue.addWritable(this.#area(length), length);
    this.queue.end();
  }

  /** Buffers that the device has used, as its index says. */
  get usedIndex(): number {
    const bytes = bytesAt(this.#transport, this.#used.address, 4);
    return (bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8);
  }

  /** Fills the ring and all buffers with {@link SENTINEL}. The queue is of no use any more. */
  poison(): void {
    for (const { address, length } of this.#areas) bytesAt(this.#transport, address, length).fill(SENTINEL);
  }
  /** How many bytes of a poisoned queue somebody has written to. */
  writtenSincePoisoned(): number {
    let written = 0;
    for (const { address, length } of this.#areas) {
      for (const byte of bytesAt(this.#transport, address, length)) if (byte !== SENTINEL) written++;
    }
    return written;
  }

  #area(length: number): number {
    const address = this.#transport.allocator.allocate(length);
    this.#areas.push({ address, length });
    return address;
  }
}

function bytesAt(transport: DriverTransport, address: number, length: number): Uint8Array {
  const region = transport.memory.locate(address, length);
  if (region === undefined) throw new RangeError(`there is no memory at ${String(address)}`);
  return region.bytes.subarray(address - region.start, address - region.start + length);
}

/** Resets the device and negotiates these features, as far as they are offered. Queues come next, then DRIVER_OK. */
export async function negotiateOnly(transport: DriverTransport, bits: readonly number[]): Promise<void> {
  const { ACKNOWLEDGE, DRIVER, FEATURES_OK } = DeviceStatus;
  await transport.setStatus(0);
  if (!(await eventually(async () => (await transport.getStatus()) === 0))) {
    throw new Error("the device does not finish its reset");
  }
  await transport.setStatus(ACKNOWLEDGE);
  await transport.setStatus(ACKNOWLEDGE | DRIVER);
  const offered = await transport.getFeatures();
  const always = [CommonFeature.VERSION_1, CommonFeature.ACCESS_PLATFORM];
  await transport.setFeatures(FeatureSet.of([...always, ...bits]).and(offered));
  await transport.setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK);
  if (((await transport.getStatus()) & FEATURES_OK) === 0) throw new Error("the device refuses the features");
}

export async function driverOk(transport: DriverTransport): Promise<void> {
  await transport.setStatus((await transport.getStatus()) | DeviceStatus.DRIVER_OK);
}

/** How the reset of a queue went. */
export interface ResetOutcome {
  readonly isComplete: boolean;
  /** How often queue_reset was seen as 1. */
  readonly busyLooks: number;
  /** What both registers said last. */
  readonly seen: string;
}

export async function resetAndWait(transport: DriverTransport, index: number): Promise<ResetOutcome> {
  await transport.resetQueue(index);
  let busyLooks = 0;
  let seen = "";
  const isComplete = await eventually(async () => {
    const isResetting = await transport.queueResetting(index);
    const isEnabled = await transport.queueEnabled(index);
    if (isResetting) busyLooks++;
    seen = `reset reads ${isResetting ? "1" : "0"}, enable reads ${isEnabled ? "1" : "0"}`;
    return !isResetting && !isEnabled;
  });
  return { isComplete, busyLooks, seen };
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, milliseconds));

async function eventually(done: () => Promise<boolean>): Promise<boolean> {
  const end = Date.now() + RESET_TIMEOUT;
  do {
    if (await done()) return true;
    await pause(2);
  } while (Date.now() < end);
  return false;
}
