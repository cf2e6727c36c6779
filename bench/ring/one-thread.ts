import { GuestMemory } from "../../src/runtime/memory/index.js";
import {
  createDeviceQueue,
  createDriverQueue,
  ringLayout,
  type DeviceQueue,
  type DriverQueue,
  type RingError,
} from "../../src/runtime/ring/index.js";
import type { Subject } from "./subject.js";

export type Format = "split" | "packed";

/** Both sides of one virtqueue with event indexes. The same as in the baselines. */
export interface Pair {
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  readonly notifications: { ofDevice: number; ofDriver: number };
}

export const bufferAddress = 0x1000;
export const bufferLength = 64;
/** Where rings start; data is before. */
const ringStart = 0x2000;

function fail(error: RingError): never {
  throw error;
}

/** How both sides of a queue are set up: in memory of one thread, so many queues behind each other. */
export function queueOptions(format: Format, size: number, memory: GuestMemory, position = 0) {
  const features = { indirect: false, eventIdx: true, packed: format === "packed", inOrder: false };
  const { descriptorBytes, driverBytes, deviceBytes } = ringLayout(size, features);
  const roundUp = (bytes: number): number => Math.ceil(bytes / 64) * 64;
  const whole = roundUp(descriptorBytes) + roundUp(driverBytes) + roundUp(deviceBytes);
  const descriptor = ringStart + position * whole;
  const driver = descriptor + roundUp(descriptorBytes);
  const addresses = { size, descriptor, driver, device: driver + roundUp(driverBytes) };
  return { index: position, memory, addresses, features, onBroken: fail };
}

/** Bytes of memory for so many queues. */
export function memorySize(size: number, queues: number): number {
  return ringStart + queues * (32 * size + 256);
}

export function createPair(format: Format, size: number, memory: GuestMemory, position = 0): Pair {
  const notifications = { ofDevice: 0, ofDriver: 0 };
  const options = queueOptions(format, size, memory, position);
  return {
    driver: createDriverQueue({ ...options, notifyDevice: () => notifications.ofDevice++ }),
    device: createDeviceQueue({ ...options, notifyDriver: () => notifications.ofDriver++ }),
    notifications,
  };
}

/** Sends one batch of buffers through the queue and back. Returns the bytes counted on both sides. */
function runBatch({ driver, device }: Pair, batch: number): number {
  let sum = 0;
  for (let index = 0; index < batch; index++) {
    driver.begin();
    driver.addWritable(bufferAddress, bufferLength);
    driver.end();
  }
  driver.kick();
  for (let chain = device.take(); chain !== undefined; chain = device.take()) {
    const length = chain.writableLength;
    sum += length;
    device.complete(chain, length);
  }
  device.flush();
  do {
    while (driver.poll() >= 0) sum += driver.lastWritten;
  } while (driver.enableNotifications());
  return sum;
}

/** Buffers of one segment through queues of one thread, which get a batch by turns. */
export function oneThread(format: Format, batch: number, size: number, queues: number): Subject {
  const memory = GuestMemory.flat(memorySize(size, queues));
  const pairs = Array.from({ length: queues }, (_, position) => createPair(format, size, memory, position));
  let turn = 0;
  return {
    run(items) {
      let sum = 0;
      for (let done = 0; done < items; done += batch) {
        const pair = pairs[turn];
        turn = turn + 1 === queues ? 0 : turn + 1;
        if (pair !== undefined) sum += runBatch(pair, batch);
      }
      if (sum === 0) throw new Error("no byte went through");
    },
    check() {
      const silent = pairs.some(({ notifications: { ofDevice, ofDriver } }) => ofDevice === 0 || ofDriver === 0);
      if (silent) throw new Error("nobody was notified");
    },
    end() {},
  };
}
