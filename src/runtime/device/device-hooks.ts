import type { FeatureSet } from "../negotiation/feature-set.js";
import type { QueuePlan } from "./device-definition.js";

/** What a generated class, or the author of a device, adds to the life of it. What these throw is reported and goes no further. */
export abstract class DeviceHooks {
  /** Queues that exist under these features and the present configuration, by index. Pure, and called rarely. */
  protected abstract queuePlan(features: FeatureSet): readonly QueuePlan[];

  /**
   * The driver wrote these bytes of the configuration. `written` is all of it as it is now, but where ones clear bits (fields
   * with `w1c`) the ones that the driver wrote; it is not to be kept.
   */
  protected configWritten?(offset: number, length: number, written: Uint8Array): void;

  /** The device was reset: fields with a value after reset get it here. */
  protected deviceReset?(): void;

  /** The driver wants the device to be suspended, and all requests are done. A promise: what else has to end first. */
  protected deviceSuspend?(): void | Promise<void>;
  /** The driver resumes the device: queues are served again from now on. */
  protected deviceResume?(): void;

  /** The driver set DRIVER_OK: the queues are being served from now on. */
  protected driverReady?(): void;

  /** A last word on the driver's features, after all rules of the definition: why not, or undefined. */
  protected featuresRefused?(features: FeatureSet): string | undefined;
}
