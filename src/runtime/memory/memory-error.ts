const memoryRules = {
  "region-range": "a memory region must start at a whole address and end at or below 2^53 - 1",
  "region-overlap": "memory regions must be sorted by address and must not overlap",
  "region-unknown": "the bytes must be those of a region of the memory",
  "allocator-range": "the allocator's range must lie inside one memory region",
  "allocation-size": "an allocation must be of a whole, positive number of bytes",
  "allocation-alignment": "an alignment must be a power of two",
  "not-allocated": "the address is not the start of a live allocation",
  "out-of-memory": "no free range of guest memory is large enough",
} as const;

/** Stable name of a rule that a {@link MemoryError} reports. */
export type MemoryRule = keyof typeof memoryRules;

/** Guest memory was described or used wrongly by the local program (never by the peer). */
export class MemoryError extends Error {
  readonly rule: MemoryRule;

  constructor(rule: MemoryRule, detail: string) {
    super(`${memoryRules[rule]} (${detail})`);
    this.name = "MemoryError";
    this.rule = rule;
  }
}

/** The driver's allocator has no free range that is large enough. The caller may free something and try again. */
export class OutOfGuestMemory extends MemoryError {
  /** Bytes that were asked for. */
  readonly size: number;

  constructor(size: number, bytesFree: number) {
    super("out-of-memory", `${size} bytes wanted, ${bytesFree} free in all`);
    this.name = "OutOfGuestMemory";
    this.size = size;
  }
}
