import { GuestMemory } from "../../src/runtime/memory/index.js";
import {
  createDeviceQueue,
  createDriverQueue,
  type DeviceQueue,
  type DriverQueue,
  type RingError,
} from "../../src/runtime/ring/index.js";

export type Format = "split" | "packed";

/** Both sides of one virtqueue with event indexes, in memory of one thread. The same as in the baselines. */
export interface Pair {
  readonly driver: DriverQueue;
  readonly device: DeviceQueue;
  readonly notifications: { ofDevice: number; ofDriver: number };
}

const bufferAddress = 0x8000;
const bufferLength = 64;

export function createPair(format: Format, size = 256): Pair {
  const memory = GuestMemory.flat(0x10_0000);
  const addresses = { size, descriptor: 0x1_0000, driver: 0x9_1000, device: 0xa_2000 };
  const features = { indirect: false, eventIdx: true, packed: format === "packed", inOrder: false };
  const notifications = { ofDevice: 0, ofDriver: 0 };
  const onBroken = (error: RingError): void => {
    throw error;
  };
  const common = { index: 0, memory, addresses, features, onBroken };
  return {
    driver: createDriverQueue({ ...common, notifyDevice: () => notifications.ofDevice++ }),
    device: createDeviceQueue({ ...common, notifyDriver: () => notifications.ofDriver++ }),
    notifications,
  };
}

/** Sends `items` buffers in batches through the queue and back. Returns the bytes counted on both sides. */
export function run({ driver, device }: Pair, batch: number, items: number): number {
  let sum = 0;
  for (let done = 0; done < items; done += batch) {
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
  }
  return sum;
}
