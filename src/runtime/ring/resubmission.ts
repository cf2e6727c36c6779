import type { DescriptorChain } from "./descriptor-chain.js";
import type { DeviceQueueOptions, InFlightChain } from "./queue-types.js";
import { RingError, type RingRule } from "./ring-errors.js";

/** Chains of before a restore, which are taken again before all others. */
export class Resubmission {
  readonly #chains: InFlightChain[];
  readonly #options: DeviceQueueOptions;

  /** @throws RingError unless all of them can have been in flight at once. */
  constructor(options: DeviceQueueOptions) {
    const { resubmit = [], addresses, features, index } = options;
    const { packed } = features;
    this.#options = options;
    const ids = new Set<number>();
    let total = 0;
    for (const { id, entries, segments, completed = 0 } of resubmit) {
      const valid =
        Number.isInteger(id) &&
        id >= 0 &&
        id < (packed ? 0x1_0000 : addresses.size) &&
        Number.isInteger(entries) &&
        entries >= 1 &&
        (packed ? segments !== undefined : entries === 1) &&
        (completed === 0 || features.inOrder) &&
        !ids.has(id);
      total += entries;
      if (!valid || !(total <= addresses.size)) {
        throw new RingError("resubmit", index, { id, entries, size: addresses.size });
      }
      ids.add(id);
    }
    this.#chains = [...resubmit];
  }

  /**
   * The queue starts with so many ring entries between used and available. What is not taken again is lost: it stays
   * unanswered, which the driver cannot tell from an answer that is late. With in-order use it would count as answered.
   * @throws RingError unless it can start so.
   */
  account(outstanding: number): void {
    const { entries } = this;
    const { index, features } = this.#options;
    if (features.inOrder ? entries !== outstanding : entries > outstanding) {
      throw new RingError("resubmit", index, { entries, outstanding }, features.packed);
    }
  }

  get pending(): boolean {
    return this.#chains.length > 0;
  }
  /** Ring entries of all chains that are still to be taken. */
  get entries(): number {
    return this.#chains.reduce((sum, { entries }) => sum + entries, 0);
  }
  get chains(): readonly InFlightChain[] {
    return this.#chains;
  }

  /** The one to be taken next. */
  get next(): InFlightChain | undefined {
    return this.#chains[0];
  }
  /** It has been taken. */
  shift(): void {
    this.#chains.shift();
  }
}

/** Appends saved segments, checked like those of a descriptor. */
export function appendSaved(chain: DescriptorChain, { segments = [] }: InFlightChain): RingRule | undefined {
  for (const { address, length, writable } of segments) {
    if (!Number.isSafeInteger(address) || address < 0) return "address-outside-memory";
    if (!(Number.isInteger(length) && length >= 0 && length <= 0xffff_ffff)) return "resubmit";
    const rule = chain.append(address | 0, Math.floor(address / 2 ** 32) | 0, length | 0, writable);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/** Chains in flight as plain data, oldest first. */
export function savedChains(chains: readonly (DescriptorChain | undefined)[]): InFlightChain[] {
  const found: DescriptorChain[] = [];
  for (const chain of chains) if (chain !== undefined && (chain.live || chain.done)) found.push(chain);
  found.sort((a, b) => (a.order - b.order) | 0);
  return found.map((chain) => ({
    id: chain.id,
    entries: chain.entries,
    segments: chain.save(),
    ...(chain.done ? { completed: chain.written } : {}),
  }));
}
