import type { VirtioDevice } from "../../../device/index.js";
import { CommonFeature, DeviceStatus, FeatureSet } from "../../../negotiation/index.js";
import { ProtocolFeature, VhostFeature, VhostUserError } from "../protocol/index.js";
import { keepsSessions } from "./crypto-sessions.js";
import { withKept } from "./kept-features.js";

/** Without these there is no way for calls, or nothing that keeps messages from piling up. */
const neededInband = FeatureSet.of([ProtocolFeature.BACKEND_REQ, ProtocolFeature.REPLY_ACK]);
const vhostFeatures = FeatureSet.of([VhostFeature.LOG_ALL, VhostFeature.PROTOCOL_FEATURES]);
const negotiating = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;

/** What the front end and the device have agreed upon, and the device's way from a reset to its features and DRIVER_OK. */
export class Negotiation {
  /** Protocol features that are offered. */
  readonly offeredProtocolFeatures: FeatureSet;
  protocolFeatures = FeatureSet.none;
  readonly #device: VirtioDevice;
  readonly #stopTimeout: number;
  /** Features of the front end, with those of the protocol; undefined before they are known. */
  #features: FeatureSet | undefined;
  /** The features that the device runs with. */
  #running: FeatureSet | undefined;

  constructor(device: VirtioDevice, stopTimeout: number, offeredProtocolFeatures = FeatureSet.none) {
    this.#device = device;
    this.#stopTimeout = stopTimeout;
    this.#features = undefined;
    this.#running = undefined;
    this.offeredProtocolFeatures = offeredProtocolFeatures;
  }

  /** Features as GET_FEATURES says them. */
  get offered(): FeatureSet {
    return this.#device.offered.or(vhostFeatures);
  }
  /** The front end wants packed rings. */
  get isPacked(): boolean {
    return this.#features?.has(CommonFeature.RING_PACKED) ?? false;
  }
  /** The front end has chosen this feature of the protocol's own. */
  has(bit: number): boolean {
    return this.#features?.has(bit) === true;
  }
  /** The front end of a crypto device has kept all features to itself. */
  get isUntold(): boolean {
    return keepsSessions(this.#device) && this.#features?.without(vhostFeatures).isEmpty === true;
  }
  /** The device has taken over features since its last reset. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }
  /** The device is in use with the features that the front end has said last. */
  get isUnchanged(): boolean {
    const features = this.#features?.without(vhostFeatures);
    return features !== undefined && this.#device.live && this.#running?.equals(features) === true;
  }

  /** `anyRunning`: a ring runs, so only the protocol's own features may change. */
  setFeatures(features: FeatureSet, anyRunning: boolean): void {
    const foreign = features.without(this.offered);
    if (!foreign.isEmpty) {
      throw new VhostUserError("features", `bits ${foreign.bits().join(", ")} are not offered`);
    }
    if (anyRunning) {
      const before = this.#features?.without(vhostFeatures) ?? FeatureSet.none;
      if (!before.equals(features.without(vhostFeatures))) {
        throw new VhostUserError("features", `changed to bits ${features.bits().join(", ")} while a ring runs`);
      }
    }
    this.#features = features;
  }

  setProtocolFeatures(features: FeatureSet, anyRunning: boolean): void {
    const foreign = features.without(this.offeredProtocolFeatures);
    if (!foreign.isEmpty) {
      throw new VhostUserError("features", `protocol features ${foreign.bits().join(", ")} are not offered`);
    }
    const { INBAND_NOTIFICATIONS } = ProtocolFeature;
    const isInband = features.has(INBAND_NOTIFICATIONS);
    if (isInband && !neededInband.without(features).isEmpty) {
      throw new VhostUserError("features", "INBAND_NOTIFICATIONS needs BACKEND_REQ and REPLY_ACK");
    }
    if (anyRunning && isInband !== this.protocolFeatures.has(INBAND_NOTIFICATIONS)) {
      throw new VhostUserError("features", "INBAND_NOTIFICATIONS changed while a ring runs");
    }
    this.protocolFeatures = features;
  }

  /** Resets the device and lets it take over the features of the front end, which are returned. */
  async begin(): Promise<FeatureSet> {
    const features = this.#features?.without(vhostFeatures);
    if (features === undefined) throw new VhostUserError("features", "a ring is started before SET_FEATURES");
    await this.reset();
    if (!this.#agree(features)) {
      throw new VhostUserError("features", `the device does not work with bits ${features.bits().join(", ")}`);
    }
    this.#running = features;
    return features;
  }

  /**
   * The driver writes to the configuration, and waits for what it reads then, before the first ring runs; QEMU has not even
   * told the driver's features by then. Until {@link begin} the device has those that it offers.
   */
  beginForConfig(): void {
    if ((this.#device.status & DeviceStatus.FEATURES_OK) !== 0 || this.#device.resetting) return;
    this.#agree((this.#features ?? this.offered).without(vhostFeatures));
  }

  /** From a reset to FEATURES_OK. False: the device does not work with these features. */
  #agree(features: FeatureSet): boolean {
    const device = this.#device;
    device.writeStatus(negotiating);
    device.setDriverFeatures(withKept(features, device.definition, this.offered));
    device.writeStatus(negotiating | DeviceStatus.FEATURES_OK);
    return (device.status & DeviceStatus.FEATURES_OK) !== 0;
  }

  /** A ring runs, so the driver is ready. */
  driverOk(): void {
    this.#device.writeStatus(negotiating | DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK);
  }

  async reset(): Promise<void> {
    const device = this.#device;
    device.reset();
    const until = performance.now() + this.#stopTimeout;
    while (device.resetting) {
      if (performance.now() > until) throw new VhostUserError("memory-in-use", "the reset of the device does not end");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.#running = undefined;
  }
}
