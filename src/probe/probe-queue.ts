import {
  CommonFeature,
  createDriverQueue,
  DeviceStatus,
  FeatureSet,
  ringLayout,
  type DriverQueue,
  type DriverTransport,
  type RingFeatures,
} from "../runtime/index.js";

/** What a byte holds that nobody should write to. */
export const SENTINEL = 0xa5;
/** Which ring a queue has. */
export type RingForm = RingFeatures;
/** The plainest one. */
export const SPLIT: RingForm = { indirect: false, eventIdx: false, packed: false, inOrder: false };
/** Descriptors in a table of indirect ones. */
const TABLE_ENTRIES = 4;
const RESET_TIMEOUT = 2000;

interface Area {
  readonly address: number;
  readonly length: number;
}

/** A ring that is set up by hand, of which every byte is known. */
export class ProbeQueue {
  readonly queue: DriverQueue;
  readonly #transport: DriverTransport;
  readonly #form: RingForm;
  readonly #size: number;
  readonly #descriptors: Area;
  readonly #device: Area;
  readonly #areas: Area[];
  /** Buffers that came back. */
  #used = 0;
  /** What broke the ring, in words. */
  broken: string | undefined;

  private constructor(
    transport: DriverTransport,
    index: number,
    areas: readonly [Area, Area, Area],
    size: number,
    form: RingForm,
  ) {
    const [descriptor, driver, device] = areas;
    this.broken = undefined;
    this.#transport = transport;
    this.#form = form;
    this.#size = size;
    this.#descriptors = descriptor;
    this.#device = device;
    this.#areas = [...areas];
    const table = form.indirect ? this.#area(size * TABLE_ENTRIES * 16, 16) : undefined;
    this.queue = createDriverQueue({
      index,
      memory: transport.memory,
      addresses: { size, descriptor: descriptor.address, driver: driver.address, device: device.address },
      features: form,
      ...(table === undefined ? {} : { indirectTable: { address: table, entries: TABLE_ENTRIES } }),
      notifyDevice: (next) => transport.notify(index, next),
      onBroken: (error) => (this.broken = error.message),
    });
  }

  /** Allocates a ring, and enables the queue with it. */
  static async enable(transport: DriverTransport, index: number, size: number, form: RingForm): Promise<ProbeQueue> {
    const layout = ringLayout(size, form);
    const area = (length: number, alignment: number): Area => ({
      address: transport.allocator.allocate(length, alignment),
      length,
    });
    const descriptor = area(layout.descriptorBytes, layout.descriptorAlignment);
    const driver = area(layout.driverBytes, layout.driverAlignment);
    const device = area(layout.deviceBytes, layout.deviceAlignment);
    const queue = new ProbeQueue(transport, index, [descriptor, driver, device], size, form);
    await transport.enableQueue(index, {
      size,
      descriptor: descriptor.address,
      driver: driver.address,
      device: device.address,
    });
    return queue;
  }

  /** Makes a buffer available: what the device reads, and rooms for what it writes. `kick`: the device is told at once. */
  post(readable: Uint8Array, writable: readonly number[], kick: boolean): void {
    this.queue.begin();
    if (readable.length > 0) {
      const address = this.#area(readable.length);
      bytesAt(this.#transport, address, readable.length).set(readable);
      this.queue.addReadable(address, readable.length);
    }
    for (const length of writable) this.queue.addWritable(this.#area(length), length);
    this.queue.end();
    if (kick) this.queue.kick();
  }

  /** How many buffers have come back so far. */
  used(): number {
    while (this.queue.poll() !== -1) this.#used++;
    this.queue.enableNotifications();
    return this.#used;
  }

  /** Entries that the device has used in a ring in which nothing was ever made available. */
  staleEntries(): number {
    if (!this.#form.packed) {
      const bytes = bytesAt(this.#transport, this.#device.address, 4);
      return (bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8);
    }
    const bytes = bytesAt(this.#transport, this.#descriptors.address, this.#descriptors.length);
    let stale = 0;
    for (let at = 0; at < this.#size; at++) {
      if (bytes.subarray(16 * at, 16 * at + 16).some((byte) => byte !== 0)) stale++;
    }
    return stale;
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

  #area(length: number, alignment?: number): number {
    const address = this.#transport.allocator.allocate(length, alignment);
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
export async function negotiateOnly(
  transport: DriverTransport,
  bits: readonly number[],
  form: RingForm,
): Promise<void> {
  const { ACKNOWLEDGE, DRIVER, FEATURES_OK } = DeviceStatus;
  await transport.setStatus(0);
  if (!(await eventually(async () => (await transport.getStatus()) === 0))) {
    throw new Error("the device does not finish its reset");
  }
  await transport.setStatus(ACKNOWLEDGE);
  await transport.setStatus(ACKNOWLEDGE | DRIVER);
  const offered = await transport.getFeatures();
  const wanted = [CommonFeature.VERSION_1, CommonFeature.ACCESS_PLATFORM, ...bits];
  if (form.eventIdx) wanted.push(CommonFeature.EVENT_IDX);
  if (form.indirect) wanted.push(CommonFeature.INDIRECT_DESC);
  if (form.packed) wanted.push(CommonFeature.RING_PACKED);
  await transport.setFeatures(FeatureSet.of(wanted).and(offered));
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

/** Waits until something is so; false if that takes too long. */
export async function eventually(done: () => Promise<boolean>, patience = RESET_TIMEOUT): Promise<boolean> {
  const end = Date.now() + patience;
  do {
    if (await done()) return true;
    await pause(2);
  } while (Date.now() < end);
  // It may have become so while this process had no processor.
  return await done();
}
