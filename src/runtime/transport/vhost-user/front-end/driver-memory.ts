import { GuestMemory, MemoryAllocator } from "../../../memory/index.js";
import { createMemoryFile, SharedMapping, type SystemCalls } from "../../posix/index.js";
import type { GivenMemory } from "./given-memory.js";

/** First address, so that 0 is no address. */
const START = 0x10_0000;

/** Memory of a driver that back ends are given. Owns the file and its mapping. */
export class DriverMemory {
  readonly memory: GuestMemory;
  readonly allocator: MemoryAllocator;
  readonly given: GivenMemory;
  readonly #system: SystemCalls;
  readonly #mapping: SharedMapping;

  private constructor(system: SystemCalls, fd: number, size: number) {
    this.#system = system;
    this.#mapping = new SharedMapping(system, fd, 0, size);
    this.given = { start: START, size: this.#mapping.length, fd };
    this.memory = new GuestMemory([{ start: START, bytes: this.#mapping.view(0, this.#mapping.length) }]);
    this.allocator = new MemoryAllocator(this.memory, START, this.#mapping.length);
  }

  /** @param size in bytes @throws SystemCallError */
  static create(system: SystemCalls, size: number): DriverMemory {
    const fd = createMemoryFile(system, "virtio-gen", size);
    try {
      return new DriverMemory(system, fd, size);
    } catch (error) {
      system.close(fd);
      throw error;
    }
  }

  release(): void {
    this.#mapping.release();
    this.#system.close(this.given.fd);
  }
}
