/** Words of a row. */
const rowWords = 4;
/** Columns. */
const link = 0;
const entries = 1;
const writable = 2;
const batch = 3;

/**
 * What a driver knows of its buffers in flight and of its free tokens, one row a token, outside of guest memory, where
 * the device cannot change it. Link chains free tokens and, in a split queue, the descriptors of one buffer.
 */
export class BuffersInFlight {
  /** See the columns. The data path reads and writes rows itself. */
  readonly rows: Int32Array;
  readonly size: number;

  constructor(size: number) {
    this.size = size;
    this.rows = new Int32Array(size * rowWords);
    for (let token = 0; token < size; token++) this.rows[token * rowWords + link] = token + 1 === size ? 0 : token + 1;
  }

  /** Numbers of publications start over: none of those that are out has the number of one to come. */
  forgetBatches(): void {
    for (let token = 0; token < this.size; token++) this.rows[token * rowWords + batch] = -1;
  }

  tokens(): number[] {
    const found: number[] = [];
    for (let token = 0; token < this.size; token++) {
      if (this.rows[token * rowWords + entries] !== 0) found.push(token);
    }
    return found;
  }
}

/** Column offsets of {@link BuffersInFlight.rows}: row of a token is `token * 4`. */
export const Row = {
  /** The next free token, or the next descriptor of the same buffer. */
  link,
  /** Ring entries of the buffer; 0: not in flight. */
  entries,
  /** Bytes that the device may write, as 32 bits. */
  writable,
  /** Number of the publication that the buffer goes out with, so that one that is not out yet is known. */
  batch,
} as const;
