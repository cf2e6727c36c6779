import type { GuestMemory, MemoryRegion } from "./guest-memory.js";

/**
 * What stands between the addresses of a driver and guest-physical memory: an IOMMU, as far as it is known here. What is not
 * known has to be asked for and becomes known later, so that whoever looks has to come back.
 */
export interface Translation {
  /** Guest-physical memory. */
  readonly physical: GuestMemory;
  /** Where {@link find} has found something: a region of physical memory, and how far into it. */
  readonly region: MemoryRegion;
  readonly offset: number;
  /**
   * Bytes from `address` on that are known, may be accessed and lie in one piece of physical memory; at most `length`, which
   * is from 1 on. 0: what is at `address` is not known. -1: the access is not allowed, or leads nowhere.
   */
  find(address: number, length: number, isWrite: boolean): number;
  /** Part of [address, address + length) is not known: it is to be asked for. */
  want(address: number, length: number, isWrite: boolean): void;
}
