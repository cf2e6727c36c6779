import type { DeviceQueue, DeviceQueueOptions, DriverQueue, DriverQueueOptions } from "./queue-types.js";
import { checkSupported } from "./ring-layout.js";
import { SplitDeviceQueue } from "./split/split-device-queue.js";
import { SplitDriverQueue } from "./split/split-driver-queue.js";

/**
 * Device side of a virtqueue, in the format that the features name.
 * @throws RingError when size or addresses cannot be a virtqueue. They come from the driver: the caller catches it.
 */
export function createDeviceQueue(options: DeviceQueueOptions): DeviceQueue {
  checkSupported(options.features, options.index);
  return new SplitDeviceQueue(options);
}

/**
 * Driver side of a virtqueue, in the format that the features name. Clears the three parts of the ring.
 * @throws RingError when size or addresses cannot be a virtqueue.
 */
export function createDriverQueue(options: DriverQueueOptions): DriverQueue {
  checkSupported(options.features, options.index);
  return new SplitDriverQueue(options);
}
