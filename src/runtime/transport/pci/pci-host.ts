import type { MaybePromise } from "../driver-transport.js";
import type { AddressSpace } from "../bus/address-space.js";

/** Where a message-signalled interrupt goes to. */
export interface InterruptMessage {
  readonly address: number;
  readonly data: number;
}

/** How interrupts of one function reach its driver. At least one of the two. */
export interface PciInterrupts {
  /** Calls the listener whenever the function's interrupt line is raised. Returns how to end that. */
  onLine?(listener: () => void): () => void;
  /**
   * Provides `count` messages; the listener is told the index of each that arrives. Fewer are returned if there are not
   * that many.
   */
  messages?(count: number, listener: (index: number) => void): MaybePromise<readonly InterruptMessage[]>;
}

/** A PCI bus as the driver side sees it. */
export interface PciHost {
  /** Configuration space of all functions: address `function << 12 | register`, as ECAM lays it out. */
  readonly config: AddressSpace;
  readonly memory: AddressSpace;
  /** I/O ports, where there are any. */
  readonly ports?: AddressSpace;
  /** Interrupts of the function at this place. */
  interrupts(place: number): MaybePromise<PciInterrupts>;
}

/** A function's place: bus, device and function number in 16 bits. */
export function pciPlace(bus: number, device: number, fn = 0): number {
  return (bus << 8) | (device << 3) | fn;
}

/** `00:04.0` */
export function formatPlace(place: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  return `${hex(place >>> 8)}:${hex((place >>> 3) & 31)}.${String(place & 7)}`;
}
