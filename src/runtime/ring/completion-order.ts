import type { DescriptorChain } from "./descriptor-chain.js";

/**
 * Chains in the order in which they were taken, for VIRTIO_F_IN_ORDER: one that completes early is kept back until all
 * before it are complete, whatever order the program completes them in.
 */
export class CompletionOrder {
  readonly #chains: (DescriptorChain | undefined)[];
  #first = 0;
  #count = 0;

  constructor(size: number) {
    this.#chains = new Array<DescriptorChain | undefined>(size).fill(undefined);
  }

  /** A chain was taken. There are never more than the queue has entries. */
  push(chain: DescriptorChain): void {
    chain.done = false;
    this.#chains[(this.#first + this.#count) % this.#chains.length] = chain;
    this.#count++;
  }

  /** The oldest chain, if it is complete. */
  get ready(): DescriptorChain | undefined {
    const chain = this.#count === 0 ? undefined : this.#chains[this.#first];
    return chain?.done === true ? chain : undefined;
  }

  /** The oldest chain has been used. */
  shift(): void {
    this.#chains[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#chains.length;
    this.#count--;
  }
}
