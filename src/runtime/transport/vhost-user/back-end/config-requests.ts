import type { VirtioDevice, WritableConfigRange } from "../../../device/index.js";
import {
  CONFIG_MIGRATION,
  decodePayload,
  encodePayload,
  VhostUserError,
  type FrontEndRequest,
  type Message,
} from "../protocol/index.js";
import { Notice, type BackEndChannel } from "./back-end-channel.js";
import type { Reply } from "./reply.js";

const mostWrites = 64;

/** Bytes that the driver writes. */
export interface ConfigWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The configuration as a front end reads and writes it, and is told of its changes. */
export class ConfigRequests {
  readonly #device: VirtioDevice;
  readonly #channel: BackEndChannel;
  readonly #changed = new Notice("CONFIG_CHANGE_MSG", encodePayload("none", undefined));
  /** Writes from before the start of the device; in order. */
  #writes: ConfigWrite[] = [];
  /** Generation of the configuration that the front end has read. */
  #seen: number;

  constructor(device: VirtioDevice, channel: BackEndChannel) {
    this.#device = device;
    this.#channel = channel;
    this.#seen = device.configGeneration;
  }

  read(message: Message<FrontEndRequest>): Reply {
    const { offset, flags, bytes } = decodePayload("config", message);
    const { configSize } = this.#device.definition;
    // An empty payload says that it cannot be read.
    if (offset > configSize) return { payload: new Uint8Array(0) };
    const found = new Uint8Array(bytes.length);
    this.#device.readConfig(offset, found);
    this.#seen = this.#device.configGeneration;
    return { payload: encodePayload("config", { offset, flags, bytes: found }) };
  }

  /**
   * Returns what was written to the device.
   * @param isRunning the device knows its features; until then what is written is kept for {@link writeKept}, too
   */
  write(message: Message<FrontEndRequest>, isRunning: boolean): readonly ConfigWrite[] {
    const { offset, flags, bytes } = decodePayload("config", message);
    const { configSize } = this.#device.definition;
    if (flags > CONFIG_MIGRATION) throw new VhostUserError("config-range", `flags ${flags}`);
    if (offset + bytes.length > configSize) {
      throw new VhostUserError("config-range", `${bytes.length} bytes at ${offset} of ${configSize}`);
    }
    // After a migration the fields that the driver cannot write are this device's own.
    if (flags === CONFIG_MIGRATION) return [];
    const writes = this.#ofTheDriver(offset, bytes);
    for (const write of writes) {
      if (!isRunning) this.#keep(write);
      this.#device.writeConfig(write.offset, write.bytes);
    }
    return writes;
  }

  /** The device has been reset and knows its features: what was written before gets to it again, and is returned. */
  writeKept(): readonly ConfigWrite[] {
    const writes = this.#writes;
    this.#writes = [];
    for (const { offset, bytes } of writes) this.#device.writeConfig(offset, bytes);
    return writes;
  }

  /** Of a write of the whole space, which is how QEMU hands over any write of the driver, the fields that are the driver's. */
  #ofTheDriver(offset: number, bytes: Uint8Array): readonly ConfigWrite[] {
    const { configSize, configParts, writableConfig } = this.#device.definition;
    const writable = writableConfig.reduce((sum, { size }) => sum + size, 0);
    if (offset > 0 || bytes.length < configSize || writable >= configSize || configParts !== undefined) {
      return [{ offset, bytes }];
    }
    const present = new Uint8Array(configSize);
    this.#device.readConfig(0, present);
    const isOther = ({ offset: at, size }: WritableConfigRange, than: (place: number) => number | undefined): boolean =>
      bytes.subarray(at, at + size).some((byte, index) => byte !== than(at + index));
    const stored = writableConfig.filter(
      (range) => range.clears === undefined && isOther(range, (place) => present[place]),
    );
    // Ones that clear bits may be what is there, or what was written earlier: not if the driver wrote another field now.
    const clearing = writableConfig.filter((range) => range.clears !== undefined && isOther(range, () => 0));
    const written = stored.length > 0 ? stored : clearing;
    return written.map(({ offset: at, size }) => ({ offset: at, bytes: bytes.slice(at, at + size) }));
  }

  /** Keeps a write for the time after the reset with which the device starts; the last one to the same place counts. */
  #keep(write: ConfigWrite): void {
    const { offset, bytes } = write;
    // What may be written at any time has had its effect, and so have ones that clear bits: what has been set since stays.
    const isAtOnce = this.#device.definition.writableConfig.some(
      (range) =>
        (range.phase === "any" || range.clears !== undefined) &&
        range.offset <= offset &&
        offset < range.offset + range.size,
    );
    if (isAtOnce) return;
    this.#writes = this.#writes.filter((kept) => kept.offset !== offset || kept.bytes.length !== bytes.length);
    if (this.#writes.length >= mostWrites) {
      throw new VhostUserError("config-range", "too many writes before the device is started");
    }
    this.#writes.push(write);
  }

  /** Tells the front end that the configuration changed, if there is a way to. */
  notify(): void {
    this.#channel.tell(this.#changed);
  }

  /** Has it changed since the front end has read it, or was told of it here? */
  takeChange(): boolean {
    const { configGeneration } = this.#device;
    const isChanged = this.#seen !== configGeneration;
    this.#seen = configGeneration;
    return isChanged;
  }
}
