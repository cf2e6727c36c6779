import type { ProtocolError } from "../negotiation/errors.js";
import { FeatureSet } from "../negotiation/feature-set.js";
import { legacyFeatures } from "../negotiation/legacy.js";
import type { DeviceTransport } from "../transport/device-transport.js";
import type { DeviceDefinition } from "./device-definition.js";
import { refusal } from "./offered-features.js";

/** The features of a device: those that it offers, those that the driver has accepted so far, and those in force. */
export class DeviceFeatures {
  readonly #definition: DeviceDefinition;
  /** What there is to offer over a transport that can do everything. */
  readonly #all: FeatureSet;
  #transport: DeviceTransport | undefined;
  #accepted = FeatureSet.none;
  #negotiated = FeatureSet.none;
  #fixed = false;

  constructor(definition: DeviceDefinition, all: FeatureSet) {
    this.#definition = definition;
    this.#all = all;
    this.#transport = undefined;
  }

  /** They are offered over this transport from now on; over none, all of them. */
  offerOver(transport: DeviceTransport | undefined): void {
    this.#transport = transport;
  }

  /** Less what the transport cannot do. */
  get offered(): FeatureSet {
    const transport = this.#transport;
    if (transport?.legacy === true) return legacyFeatures(this.#all);
    return transport?.unsupported === undefined ? this.#all : this.#all.without(transport.unsupported);
  }
  /** What the driver has written so far. */
  get accepted(): FeatureSet {
    return this.#accepted;
  }
  /** Those in force: none before negotiation is over. */
  get negotiated(): FeatureSet {
    return this.#negotiated;
  }
  /** Negotiation is over: FEATURES_OK is set or, on a legacy interface, a queue was used or DRIVER_OK set. */
  get fixed(): boolean {
    return this.#fixed;
  }
  /** Those in force or, as long as nobody knows them, all that may come to be. */
  get possible(): FeatureSet {
    return this.#fixed ? this.#negotiated : this.offered;
  }
  /** What the layout of the configuration goes by: before negotiation is over, what the driver has accepted so far. */
  get layout(): FeatureSet {
    return this.#fixed ? this.#negotiated : this.#accepted;
  }

  accept(features: FeatureSet): void {
    this.#accepted = features;
  }
  /** Why the device cannot work with what the driver has accepted, by the rules of the definition. */
  refusal(): ProtocolError | undefined {
    return refusal(this.#definition, this.offered, this.#accepted, this.#transport?.legacy === true);
  }
  /** Negotiation is over: what the driver has accepted is in force. */
  fix(): void {
    this.#negotiated = this.#accepted;
    this.#fixed = true;
  }
  /** The device was reset. */
  forget(): void {
    this.#accepted = FeatureSet.none;
    this.#negotiated = FeatureSet.none;
    this.#fixed = false;
  }
}
