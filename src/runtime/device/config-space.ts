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
   * What was changed is told by its places in memory.
   */
  write(offset: number, source: Uint8Array, status: number, features: FeatureSet, layout: FeatureSet): ConfigWrite {
    const changed: { offset: number; length: number }[] = [];
    let error: ProtocolError | undefined;
    // A write can be no longer than the space, whatever length the peer asks for.
    const stretches = this.#stretches(layout);
    const end = stretches.reduce((most, stretch) => Math.max(most, stretch.offset + stretch.size), 0);
    const length = Math.min(source.length, Math.max(0, end - offset));
    if (!(offset >= 0) || length < source.length) {
      error = new ProtocolError("config-out-of-range", Clause.config, `${at(offset)} is beyond the space`);
      if (!(offset >= 0)) return { changed, error };
    }
    for (let i = 0; i < length; i++) {
      const stretch = stretches.find((each) => offset + i >= each.offset && offset + i < each.offset + each.size);
      const position = stretch === undefined ? -1 : stretch.place + offset + i - stretch.offset;
      const bits = this.#writableBits(position, features, status);
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
      // Bits that are not the driver's may have changed since it read them, so it is not blamed for what it writes there.
      this.bytes[position] = ((this.bytes[position] ?? 0) & ~bits) | ((source[i] ?? 0) & bits);
      const last = changed.at(-1);
      if (last !== undefined && last.offset + last.length === position) last.length++;
      else changed.push({ offset: position, length: 1 });
    }
    return { changed, error };
  }

  /** Bits of this byte that the driver may write now: 0 if it is only too early. */
  #writableBits(position: number, features: FeatureSet, status: number): number | "read-only" {
    let bits: number | "read-only" = "read-only";
    for (const range of this.#writable) {
      const { offset, size, mask, phase } = range;
      if (position < offset || position >= offset + size || !range.allowed(features)) continue;
      const own = phaseReached(phase, status) ? (mask?.[position - offset] ?? 0xff) : 0;
      bits = own | (bits === "read-only" ? 0 : bits);
    }
    return bits;
  }
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
