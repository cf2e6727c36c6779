import { DeviceStatus } from "../negotiation/device-status.js";
import { Clause, ProtocolError } from "../negotiation/errors.js";
import { configStretches, type ConfigPart, type ConfigStretch } from "../negotiation/config-parts.js";
import type { FeatureSet } from "../negotiation/feature-set.js";
import type { ConfigPhase, WritableConfigRange } from "./device-definition.js";

/** Bytes that one write changed. */
export interface ConfigSpan {
  readonly offset: number;
  readonly length: number;
}

/** The outcome of a write: what was changed, and what was not and why. */
export interface ConfigWrite {
  readonly changed: readonly ConfigSpan[];
  /**
   * The space as the driver wrote it: as it is, but where ones clear bits the ones that were written, and zeroes where none
   * were. Valid until the space changes.
   */
  readonly written: Uint8Array;
  readonly error: ProtocolError | undefined;
}

/** The device configuration space: bytes that the device owns and the driver reads, and writes in places. */
export class ConfigSpace {
  readonly bytes: Uint8Array;
  readonly #writable: readonly WritableConfigRange[];
  readonly #parts: readonly ConfigPart[] | undefined;
  #generation = 0;

  constructor(bytes: Uint8Array, writable: readonly WritableConfigRange[], parts?: readonly ConfigPart[]) {
    this.bytes = bytes;
    this.#writable = writable;
    this.#parts = parts;
  }

  /** Changes with every change by the device; a number of 32 bits that wraps. */
  get generation(): number {
    return this.#generation;
  }
  changed(): void {
    this.#generation = (this.#generation + 1) >>> 0;
  }

  /** Takes over the bytes of a device that this one stands in for. Nobody is told. */
  mirror(bytes: Uint8Array): void {
    this.bytes.set(bytes.subarray(0, this.bytes.length));
  }

  /** Copies bytes from `offset` on to `target`; zeroes for what is beyond the space. `layout`: see {@link write}. */
  read(offset: number, target: Uint8Array, layout: FeatureSet): void {
    target.fill(0);
    if (!(offset >= 0)) return;
    for (const stretch of this.#stretches(layout)) {
      const from = Math.max(offset, stretch.offset);
      const to = Math.min(offset + target.length, stretch.offset + stretch.size);
      const place = stretch.place + from - stretch.offset;
      if (from < to) target.set(this.bytes.subarray(place, place + to - from), from - offset);
    }
  }

  #stretches(layout: FeatureSet): readonly ConfigStretch[] {
    return configStretches(this.#parts, layout, this.bytes);
  }

  /**
   * A write by the driver, of any width. Bytes that it may write now are changed, the others are left alone.
   * `features` are the negotiated ones, or the offered ones before FEATURES_OK; `layout` those that say where things are.
   * What was changed is told by its places in memory: those that were written to, whatever was there before. Where ones clear
   * bits, those of another field may have changed, too.
   */
  write(offset: number, source: Uint8Array, status: number, features: FeatureSet, layout: FeatureSet): ConfigWrite {
    const changed: { offset: number; length: number }[] = [];
    // What was written where ones clear bits, by place.
    const ones = new Map<number, number>();
    let error: ProtocolError | undefined;
    // A write can be no longer than the space, whatever length the peer asks for.
    const stretches = this.#stretches(layout);
    const end = stretches.reduce((most, stretch) => Math.max(most, stretch.offset + stretch.size), 0);
    const length = Math.min(source.length, Math.max(0, end - offset));
    if (!(offset >= 0) || length < source.length) {
      error = new ProtocolError("config-out-of-range", Clause.config, `${at(offset)} is beyond the space`);
      if (!(offset >= 0)) return { changed, written: this.bytes, error };
    }
    for (let i = 0; i < length; i++) {
      const stretch = stretches.find((each) => offset + i >= each.offset && offset + i < each.offset + each.size);
      const position = stretch === undefined ? -1 : stretch.place + offset + i - stretch.offset;
      const bits = this.#writeByte(position, source[i] ?? 0, features, status, ones);
      if (bits === "read-only") {
        error ??= new ProtocolError(
          "config-read-only",
          Clause.config,
          `${at(offset + i)} is not for the driver to write`,
        );
        continue;
      }
      if (bits === 0) {
        error ??= new ProtocolError("config-phase", Clause.initialization, `${at(offset + i)} is written too early`);
        continue;
      }
      const last = changed.at(-1);
      if (last !== undefined && last.offset + last.length === position) last.length++;
      else changed.push({ offset: position, length: 1 });
    }
    return { changed, written: this.#asWritten(ones), error };
  }

  /** Writes the bits of this byte that the driver may write now, and tells which they are: 0 if it is only too early. */
  #writeByte(
    position: number,
    value: number,
    features: FeatureSet,
    status: number,
    ones: Map<number, number>,
  ): number | "read-only" {
    let bits: number | "read-only" = "read-only";
    for (const range of this.#writable) {
      const { offset, size, clears, phase } = range;
      const index = position - offset;
      if (index < 0 || index >= size || !range.allowed(features)) continue;
      const own = phaseReached(phase, status) ? maskOf(range, index) : 0;
      bits = own | (bits === "read-only" ? 0 : bits);
      if (clears === undefined) {
        // Bits that are not the driver's may have changed since it read them, so it is not blamed for what it writes there.
        this.bytes[position] = ((this.bytes[position] ?? 0) & ~own) | (value & own);
      } else {
        this.bytes[clears + index] = (this.bytes[clears + index] ?? 0) & ~(value & own);
        ones.set(position, (ones.get(position) ?? 0) | (value & own));
      }
    }
    return bits;
  }

  #asWritten(ones: ReadonlyMap<number, number>): Uint8Array {
    if (ones.size === 0) return this.bytes;
    const written = this.bytes.slice();
    for (const range of this.#writable) {
      const { offset, size, clears } = range;
      for (let index = 0; clears !== undefined && index < size; index++) {
        written[offset + index] = (written[offset + index] ?? 0) & ~maskOf(range, index);
      }
    }
    for (const [position, value] of ones) written[position] = (written[position] ?? 0) | value;
    return written;
  }
}

/** Bits of one byte that belong to the field. */
function maskOf({ mask }: WritableConfigRange, index: number): number {
  return mask?.[index] ?? 0xff;
}

function phaseReached(phase: ConfigPhase, status: number): boolean {
  switch (phase) {
    case "any":
      return true;
    case "features_ok":
      return (status & DeviceStatus.FEATURES_OK) !== 0;
    case "driver_ok":
      return (status & DeviceStatus.DRIVER_OK) !== 0;
  }
}

function at(offset: number): string {
  return `config byte ${String(offset)}`;
}
