import type { MemoryAllocator } from "../../memory/index.js";
import type { InterruptMessage } from "../pci/pci-host.js";

/** What a message writes. Any value but 0. */
const MESSAGE = 1;

interface Vector {
  readonly words: Uint32Array;
  readonly listener: () => void;
}

/**
 * Message-signalled interrupts without an interrupt controller: each message is a write of one word to guest memory, and
 * this looks at the words. Needs mapped memory.
 */
export class MessagePoller {
  readonly #allocator: MemoryAllocator;
  readonly #vectors: Vector[] = [];
  #timer: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(allocator: MemoryAllocator) {
    this.#allocator = allocator;
    this.#timer = undefined;
  }

  /** Words for `count` messages; the listener is told the index of each that arrives. */
  messages(count: number, listener: (index: number) => void): readonly InterruptMessage[] {
    const messages: InterruptMessage[] = [];
    for (let index = 0; index < count; index++) {
      const address = this.#allocator.allocate(4, 4);
      const region = this.#allocator.memory.locate(address, 4);
      if (region === undefined) break;
      const { bytes } = region;
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset + (address - region.start), 1);
      words[0] = 0;
      this.#vectors.push({ words, listener: () => listener(index) });
      messages.push({ address, data: MESSAGE });
    }
    this.#timer ??= setImmediate(this.#look);
    return messages;
  }

  close(): void {
    this.#closed = true;
    clearImmediate(this.#timer);
    this.#timer = undefined;
  }

  readonly #look = (): void => {
    for (const { words, listener } of this.#vectors) {
      if (words[0] === 0) continue;
      // Cleared first: a message that comes while the listener works is seen the next time.
      Atomics.store(words, 0, 0);
      listener();
    }
    if (!this.#closed) this.#timer = setImmediate(this.#look);
  };
}
