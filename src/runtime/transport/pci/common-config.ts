import type { RegisterWindow } from "../bus/address-space.js";
import { OneAfterTheOther } from "../bus/one-after-the-other.js";
import { FeatureSet } from "../../negotiation/feature-set.js";
import { Clause, ProtocolError } from "../../negotiation/errors.js";
import type { QueueAddresses } from "../../ring/index.js";
import { CommonConfig, NO_VECTOR } from "./pci-layout.js";

/**
 * The common configuration structure as a driver uses it (VIRTIO 1.4, 4.1.4.3). What concerns one queue is written
 * behind `queue_select`, so that calls must not overlap: they are put one behind the other here.
 */
export class CommonConfigAccess {
  readonly #window: RegisterWindow;
  readonly #selected = new OneAfterTheOther();

  constructor(window: RegisterWindow) {
    this.#window = window;
  }

  /** Whether the structure is long enough for a field that VIRTIO 1.2 or later added. */
  has(offset: number, width: number): boolean {
    return this.#window.length >= offset + width;
  }
  read(offset: number, width: 1 | 2 | 4): number | Promise<number> {
    return this.#window.read(offset, width);
  }
  write(offset: number, width: 1 | 2 | 4, value: number): void | Promise<void> {
    return this.#window.write(offset, width, value);
  }

  /** Features that the device offers, 128 bits. */
  features(): Promise<FeatureSet> {
    return this.#selected.run(async () => {
      const words: number[] = [];
      for (let word = 0; word < 4; word++) {
        await this.write(CommonConfig.deviceFeatureSelect, 4, word);
        words.push(await this.read(CommonConfig.deviceFeature, 4));
      }
      return FeatureSet.fromWords(words);
    });
  }
  /** Features that the driver accepts. Words without a bit that is beyond the first two are not written. */
  setFeatures(features: FeatureSet): Promise<void> {
    return this.#selected.run(async () => {
      for (const word of [0, 1, 2, 3] as const) {
        if (word > 1 && features.word(word) === 0) continue;
        await this.write(CommonConfig.driverFeatureSelect, 4, word);
        await this.write(CommonConfig.driverFeature, 4, features.word(word));
      }
    });
  }

  /** `queue_size`: the largest size before the queue is set up. */
  queueSize(index: number): Promise<number> {
    return this.#queue(index, async () => await this.read(CommonConfig.queueSize, 2));
  }
  /** Where the queue is notified, in multiples of the notification structure's multiplier. */
  queueNotifyOffset(index: number): Promise<number> {
    return this.#queue(index, async () => await this.read(CommonConfig.queueNotifyOff, 2));
  }
  queueVector(index: number): Promise<number> {
    return this.#queue(index, async () => await this.read(CommonConfig.queueMsixVector, 2));
  }
  queueNotifyConfigData(index: number): Promise<number> {
    return this.#queue(index, async () => await this.read(CommonConfig.queueNotifConfigData, 2));
  }

  /**
   * Sets a queue up and enables it.
   * @throws ProtocolError `transport-vector` when the device has no resources for the vector.
   */
  enableQueue(index: number, addresses: QueueAddresses, vector: number): Promise<void> {
    return this.#queue(index, async () => {
      await this.write(CommonConfig.queueSize, 2, addresses.size);
      if (vector !== NO_VECTOR) await this.#setVector(CommonConfig.queueMsixVector, vector);
      await this.#window.write64(CommonConfig.queueDesc, addresses.descriptor);
      await this.#window.write64(CommonConfig.queueDriver, addresses.driver);
      await this.#window.write64(CommonConfig.queueDevice, addresses.device);
      await this.write(CommonConfig.queueEnable, 2, 1);
      if ((await this.read(CommonConfig.queueEnable, 2)) === 1) return;
      throw new ProtocolError(
        "queue-enable-refused",
        Clause.queues,
        `the device does not enable queue ${String(index)}`,
      );
    });
  }

  queueEnabled(index: number): Promise<boolean> {
    return this.#queue(index, async () => (await this.read(CommonConfig.queueEnable, 2)) !== 0);
  }
  /** Asks for the reset of a queue (2.6.1). */
  resetQueue(index: number): Promise<void> {
    return this.#queue(index, async () => await this.write(CommonConfig.queueReset, 2, 1));
  }
  queueResetting(index: number): Promise<boolean> {
    return this.#queue(index, async () => (await this.read(CommonConfig.queueReset, 2)) !== 0);
  }

  /** Maps configuration changes to a vector. */
  async setConfigVector(vector: number): Promise<void> {
    await this.#setVector(CommonConfig.configMsixVector, vector);
  }

  async #setVector(offset: number, vector: number): Promise<void> {
    await this.write(offset, 2, vector);
    if ((await this.read(offset, 2)) === vector) return;
    throw new ProtocolError("transport-vector", Clause.pciVectors, `the device does not map vector ${String(vector)}`);
  }

  #queue<T>(index: number, work: () => Promise<T>): Promise<T> {
    return this.#selected.run(async () => {
      await this.write(CommonConfig.queueSelect, 2, index);
      return await work();
    });
  }
}
