/** Below this many bytes a loop is faster than making a view for `set`, and it allocates nothing. */
const loopLimit = 64;

/** Copies `length` bytes, like memmove. The caller has checked both ranges. */
export function copyBytes(
  target: Uint8Array,
  targetOffset: number,
  source: Uint8Array,
  sourceOffset: number,
  length: number,
): void {
  if (target === source) {
    target.copyWithin(targetOffset, sourceOffset, sourceOffset + length);
  } else if (length < loopLimit && target.buffer !== source.buffer) {
    for (let index = 0; index < length; index++) {
      target[targetOffset + index] = source[sourceOffset + index] ?? 0;
    }
  } else if (sourceOffset === 0 && length === source.length) {
    target.set(source, targetOffset);
  } else {
    target.set(source.subarray(sourceOffset, sourceOffset + length), targetOffset);
  }
}
