/** Number of feature bits that the specification has room for. */
export const FEATURE_BITS = 128;

/** A set of feature bits 0 ... 127. Never changes once made. */
export class FeatureSet {
  readonly #word0: number;
  readonly #word1: number;
  readonly #word2: number;
  readonly #word3: number;

  private constructor(word0: number, word1: number, word2: number, word3: number) {
    this.#word0 = word0 >>> 0;
    this.#word1 = word1 >>> 0;
    this.#word2 = word2 >>> 0;
    this.#word3 = word3 >>> 0;
  }

  /** The set without a bit. */
  static readonly none: FeatureSet = new FeatureSet(0, 0, 0, 0);

  /** The set of these bit numbers; throws a RangeError for one outside of 0 ... 127. */
  static of(bits: Iterable<number>): FeatureSet {
    const words = [0, 0, 0, 0];
    for (const bit of bits) {
      if (!Number.isInteger(bit) || bit < 0 || bit >= FEATURE_BITS) {
        throw new RangeError(`a feature bit is a number from 0 to 127, not ${String(bit)}`);
      }
      const word = bit >>> 5;
      words[word] = (words[word] ?? 0) | (1 << (bit & 31));
    }
    return FeatureSet.fromWords(words);
  }

  /** From words of 32 bits, lowest first. Missing ones are 0; bits from 128 on are left out. */
  static fromWords(words: ArrayLike<number>): FeatureSet {
    return new FeatureSet(words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0);
  }

  has(bit: number): boolean {
    const mask = 1 << (bit & 31);
    switch (bit >>> 5) {
      case 0:
        return (this.#word0 & mask) !== 0;
      case 1:
        return (this.#word1 & mask) !== 0;
      case 2:
        return (this.#word2 & mask) !== 0;
      case 3:
        return (this.#word3 & mask) !== 0;
      default:
        return false;
    }
  }

  /** 32 bits of the set as an unsigned number: bits `32 * index` and up. */
  word(index: 0 | 1 | 2 | 3): number {
    switch (index) {
      case 0:
        return this.#word0;
      case 1:
        return this.#word1;
      case 2:
        return this.#word2;
      case 3:
        return this.#word3;
    }
  }

  /** The same set with 32 of its bits replaced. */
  withWord(index: 0 | 1 | 2 | 3, value: number): FeatureSet {
    const words = [this.#word0, this.#word1, this.#word2, this.#word3];
    words[index] = value;
    return FeatureSet.fromWords(words);
  }

  /** Bits in both sets. */
  and(other: FeatureSet): FeatureSet {
    return new FeatureSet(
      this.#word0 & other.#word0,
      this.#word1 & other.#word1,
      this.#word2 & other.#word2,
      this.#word3 & other.#word3,
    );
  }
  /** Bits in either set. */
  or(other: FeatureSet): FeatureSet {
    return new FeatureSet(
      this.#word0 | other.#word0,
      this.#word1 | other.#word1,
      this.#word2 | other.#word2,
      this.#word3 | other.#word3,
    );
  }
  /** Bits in this set that are not in the other one. */
  without(other: FeatureSet): FeatureSet {
    return new FeatureSet(
      this.#word0 & ~other.#word0,
      this.#word1 & ~other.#word1,
      this.#word2 & ~other.#word2,
      this.#word3 & ~other.#word3,
    );
  }
  isSubsetOf(other: FeatureSet): boolean {
    return this.without(other).isEmpty;
  }
  equals(other: FeatureSet): boolean {
    return (
      this.#word0 === other.#word0 &&
      this.#word1 === other.#word1 &&
      this.#word2 === other.#word2 &&
      this.#word3 === other.#word3
    );
  }
  get isEmpty(): boolean {
    return (this.#word0 | this.#word1 | this.#word2 | this.#word3) === 0;
  }

  /** Bit numbers in the set, lowest first. */
  bits(): number[] {
    const bits: number[] = [];
    for (let bit = 0; bit < FEATURE_BITS; bit++) if (this.has(bit)) bits.push(bit);
    return bits;
  }

  toBigInt(): bigint {
    return (
      BigInt(this.#word0) | (BigInt(this.#word1) << 32n) | (BigInt(this.#word2) << 64n) | (BigInt(this.#word3) << 96n)
    );
  }

  toJSON(): number[] {
    return this.bits();
  }
}
