import { PackedDeviceQueue } from "./packed/packed-device-queue.js";
import { PackedDriverQueue } from "./packed/packed-driver-queue.js";
import type { DeviceQueue, DeviceQueueOptions, DriverQueue, DriverQueueOptions } from "./queue-types.js";
import { SplitDeviceQueue } from "./split/split-device-queue.js";
import { SplitDriverQueue } from "./split/split-driver-queue.js";

/**
 * Device side of a virtqueue, in the format that the features name.
 * @throws RingError when size or addresses cannot be a virtqueue. They come from the driver: the caller catches it.
 */
export function createDeviceQueue(options: DeviceQueueOptions): DeviceQueue {
  return options.features.packed ? new PackedDeviceQueue(options) : new SplitDeviceQueue(options);
}

/**
 * Driver side of a virtqueue, in the format that the features name. Clears the three parts of the ring.
 * @throws RingError when size or addresses cannot be a virtqueue.
 */
export function createDriverQueue(options: DriverQueueOptions): DriverQueue {
  return options.features.packed ? new PackedDriverQueue(options) : new SplitDriverQueue(options);
}
