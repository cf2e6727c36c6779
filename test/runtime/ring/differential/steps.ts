/**
 * A step of a differential run is one 32-bit word: what is done in the lower five bits, its numbers above. Each step
 * makes sense in every state, so that any of them can be left out of a list.
 */
export type StepWord = number;

/** Each kind as often as it comes, of 29; at most 32 fit into a word. */
const kinds = [
  ...["add", "add", "add", "add", "add"],
  ...["kick", "kick", "kick", "publish available"],
  ...["take", "take", "take", "take"],
  ...["complete", "complete", "complete", "complete"],
  ...["flush", "flush", "flush", "publish used"],
  ...["poll", "poll", "poll", "poll"],
  ...["driver enables", "driver disables", "device enables", "device disables"],
  // Never drawn.
  "drain",
] as const;
export type StepKind = (typeof kinds)[number];
const oneByOne = new Set<StepKind>(["driver enables", "driver disables", "device enables", "device disables"]);

/** Everything under way comes to its end; the generator puts one behind each stretch. */
export const drain: StepWord = kinds.length - 1;

export function kindOf(word: StepWord): StepKind {
  return kinds[word & 31] ?? "drain";
}
/** Segments of the buffer that an `add` adds. */
export function readableSegments(word: StepWord): number {
  return 1 + (((word >>> 5) & 0xff) % 3);
}
export function writableSegments(word: StepWord): number {
  return ((word >>> 13) & 0xff) % 3;
}
/** Which of `count` chains a `complete` completes, and how many of its `capacity` bytes it writes. */
export function choice(word: StepWord, count: number): number {
  return ((word >>> 5) & 0xff) % count;
}
export function written(word: StepWord, capacity: number): number {
  // Often all of it, so that used entries can stand for batches.
  return ((word >>> 13) & 1) === 0 ? capacity : ((word >>> 14) & 0xff) % (capacity + 1);
}

/** A step in words. */
export function tellStep(word: StepWord): string {
  const kind = kindOf(word);
  if (kind === "add") return `add ${readableSegments(word)} readable and ${writableSegments(word)} writable`;
  if (kind === "complete") return `complete (0x${word.toString(16)})`;
  return kind;
}

/** The same step with the simplest numbers. */
export function simplest(word: StepWord): StepWord {
  return word & 31;
}

/** `count` steps of a seed: the same kind comes up to eight times in a row. A drain ends each stretch. */
export function seededSteps(seed: number, count: number, stretch: number): Uint32Array {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const steps = new Uint32Array(count);
  let kind = 0;
  let left = 0;
  for (let index = 0; index < count; index++) {
    if (left === 0) {
      kind = (next() >>> 8) % (kinds.length - 1);
      left = oneByOne.has(kindOf(kind)) ? 1 : 1 + ((next() >>> 8) & 7);
    }
    left--;
    const isEnd = index % stretch === stretch - 1 || index === count - 1;
    steps[index] = isEnd ? drain : ((next() & ~31) | kind) >>> 0;
  }
  return steps;
}
