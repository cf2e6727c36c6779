export { copyBytes } from "./copy-bytes.js";
export {
  GuestMemory,
  type GuestMemoryOptions,
  type MemoryPlace,
  type MemoryRegion,
  type MemoryRegionInit,
  type MemoryWindow,
} from "./guest-memory.js";
export { MemoryAllocator } from "./memory-allocator.js";
export type { Translation } from "./translation.js";
export { MemoryError, OutOfGuestMemory, type MemoryRule } from "./memory-error.js";
