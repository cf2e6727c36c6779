import { SharedMapping } from "./shared-memory.js";
import { loadSystemCalls } from "./system-calls.js";
import { PosixUnavailableError } from "./system-error.js";

/** A file of memory that is mapped into this process. */
export interface MappedMemory {
  readonly bytes: Uint8Array;
  /** Takes the mapping away. `bytes` have nothing to do with the file any more. */
  unmap(): void;
}

/**
 * Maps `length` bytes of an open file from its start, shared with whoever else maps it. Undefined where koffi is not
 * installed or the system is not Linux.
 * @throws SystemCallError when the system refuses.
 */
export async function mapFile(fd: number, length: number): Promise<MappedMemory | undefined> {
  try {
    const mapping = new SharedMapping(await loadSystemCalls(), fd, 0, length);
    return { bytes: mapping.view(0, length), unmap: () => mapping.release() };
  } catch (error) {
    if (error instanceof PosixUnavailableError) return undefined;
    throw error;
  }
}
