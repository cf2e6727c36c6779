import { loadKoffi } from "./koffi.js";

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/** A file of memory that is mapped into this process. */
export interface MappedMemory {
  readonly bytes: Uint8Array;
  /** Takes the mapping away. `bytes` must not be used any more. */
  unmap(): void;
}

/**
 * Maps `length` bytes of an open file from its start, shared with whoever else maps it. Undefined where koffi is not
 * installed or the system is not Linux.
 * @throws Error when the system refuses.
 */
export async function mapFile(fd: number, length: number): Promise<MappedMemory | undefined> {
  if (process.platform !== "linux") return undefined;
  const koffi = await loadKoffi();
  if (koffi === undefined) return undefined;
  const libc = koffi.load("libc.so.6");
  const mmap = libc.func("void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64 offset)");
  const munmap = libc.func("int munmap(void *addr, size_t length)");
  const pointer: unknown = mmap(null, length, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (typeof pointer !== "bigint" || pointer === MAP_FAILED) throw new Error(`mmap of ${String(length)} bytes failed`);
  const bytes = new Uint8Array(koffi.view(pointer, length));
  return { bytes, unmap: () => void munmap(pointer, length) };
}

const MAP_FAILED = 2n ** 64n - 1n;
