import { configOffset, configStretches } from "../negotiation/config-parts.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { DriverTransport } from "../transport/driver-transport.js";
import { readConfigSnapshot } from "./config-snapshot.js";
import type { DriverDefinition } from "./driver-definition.js";

/** The configuration space as a driver knows it: as last read, and what it wrote of fields that it cannot read. */
export class DriverConfig<Config> {
  readonly #transport: DriverTransport;
  readonly #definition: DriverDefinition;
  readonly #decode: (bytes: Uint8Array, features: FeatureSet) => Config;
  #last: { readonly value: Config } | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #generation = 0;
  /** By place. */
  readonly #written = new Map<number, Uint8Array>();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(
    transport: DriverTransport,
    definition: DriverDefinition,
    decode: (bytes: Uint8Array, features: FeatureSet) => Config,
  ) {
    this.#transport = transport;
    this.#definition = definition;
    this.#decode = decode;
    this.#last = undefined;
  }

  /** As last read; undefined before the first time. */
  get last(): { readonly value: Config } | undefined {
    return this.#last;
  }
  /** The generation of what was last read. */
  get generation(): number {
    return this.#generation;
  }

  /** Reads the configuration now. Rejects with a ProtocolError if it changes all the time. */
  read(features: FeatureSet): Promise<Config> {
    // One after the other, so that an older reading never replaces a newer one.
    const reading = this.#reading.then(async () => {
      const { bytes, generation } = await readConfigSnapshot(this.#transport, this.#definition, features);
      for (const [place, written] of this.#written) bytes.set(written, place);
      this.#bytes = bytes;
      const value = this.#decode(bytes, features);
      this.#last = { value };
      this.#generation = generation;
      return value;
    });
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  /** Writes the bytes at `place`. False, and nothing is written, if they are not there with these features. */
  async write(place: number, bytes: Uint8Array, features: FeatureSet): Promise<boolean> {
    const { configAccesses, configParts } = this.#definition;
    const access = configAccesses.find(({ offset, width, count }) => place >= offset && place < offset + width * count);
    const to =
      configParts === undefined ? place : configOffset(configStretches(configParts, features, this.#bytes), place);
    if (to === undefined) return false;
    if (access === undefined) this.#written.set(place, bytes);
    await this.#transport.writeConfig(to, bytes, access?.width ?? 1);
    return true;
  }

  /** The device was reset, and has forgotten what was written. */
  deviceReset(): void {
    this.#written.clear();
  }
}
