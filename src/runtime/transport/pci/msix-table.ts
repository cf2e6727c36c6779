import { numberAt, putNumber, Registers, type GuestAccessWidth } from "../registers/register-file.js";

const ENTRY_BYTES = 16;
const MASKED = 1;

/** The MSI-X table of a function and its pending bits, as one BAR: the table first, the pending bits behind it. */
export class MsixTable extends Registers {
  readonly length: number;
  readonly vectors: number;
  /** Where the pending bits start. */
  readonly pendingOffset: number;
  readonly #bytes: Uint8Array;
  readonly #send: (address: number, data: number) => void;
  #enabled = false;
  #masked = false;
  #mayWrite = false;

  /** @param send writes a message to memory; `address` is a number below 2^53 */
  constructor(vectors: number, send: (address: number, data: number) => void) {
    super();
    this.vectors = vectors;
    this.pendingOffset = vectors * ENTRY_BYTES;
    const used = this.pendingOffset + 8 * Math.ceil(vectors / 64);
    this.length = Math.max(4096, 2 ** Math.ceil(Math.log2(used)));
    this.#bytes = new Uint8Array(used);
    this.#send = send;
    this.reset();
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** After a reset of the function: off, and every vector masked. */
  reset(): void {
    this.#enabled = false;
    this.#masked = false;
    this.#bytes.fill(0);
    for (let vector = 0; vector < this.vectors; vector++) putNumber(this.#bytes, vector * ENTRY_BYTES + 12, 4, MASKED);
  }

  /** What message control says: whether MSI-X is on, and whether all vectors are masked. */
  setControl(enabled: boolean, masked: boolean): void {
    this.#enabled = enabled;
    this.#masked = masked;
    this.#deliverAll();
  }

  /** Whether the function may write to memory (bus mastering): without it, messages stay pending. */
  setBusMaster(mayWrite: boolean): void {
    this.#mayWrite = mayWrite;
    this.#deliverAll();
  }

  /** Sends the message of a vector, or keeps it pending while it is masked. */
  raise(vector: number): void {
    if (vector >= this.vectors) return;
    this.#setPending(vector, true);
    this.#deliver(vector);
  }

  read(offset: number, width: GuestAccessWidth): number {
    return numberAt(this.#bytes, offset, width);
  }
  write(offset: number, width: GuestAccessWidth, value: number): void {
    // The pending bits are read-only, and the table takes aligned accesses of 4 bytes (8 are two of them).
    if (width !== 4 || offset % 4 !== 0 || offset >= this.pendingOffset) return;
    putNumber(this.#bytes, offset, 4, offset % ENTRY_BYTES === 12 ? value & MASKED : value);
    this.#deliver(Math.floor(offset / ENTRY_BYTES));
  }

  /** Table and pending bits, a byte a number. */
  save(): readonly number[] {
    return [...this.#bytes];
  }
  /** Whether a saved table is one of as many vectors, with nothing where no bits are. */
  isLike(saved: readonly number[]): boolean {
    if (saved.length !== this.#bytes.length) return false;
    return saved.every((byte, at) => {
      if (at >= this.pendingOffset)
        return byte >>> Math.max(0, Math.min(8, this.vectors - 8 * (at - this.pendingOffset))) === 0;
      return at % ENTRY_BYTES < 12 || byte <= (at % ENTRY_BYTES === 12 ? MASKED : 0);
    });
  }
  /** Takes over a table that {@link isLike} this one. Messages that are pending go out with the next {@link setControl}. */
  restore(saved: readonly number[]): void {
    this.#bytes.set(saved);
  }

  #deliverAll(): void {
    for (let vector = 0; vector < this.vectors; vector++) this.#deliver(vector);
  }
  #deliver(vector: number): void {
    if (!this.#enabled || this.#masked || !this.#mayWrite || !this.#isPending(vector)) return;
    const entry = vector * ENTRY_BYTES;
    if ((numberAt(this.#bytes, entry + 12, 4) & MASKED) !== 0) return;
    this.#setPending(vector, false);
    const address = numberAt(this.#bytes, entry + 4, 4) * 2 ** 32 + numberAt(this.#bytes, entry, 4);
    this.#send(address, numberAt(this.#bytes, entry + 8, 4));
  }

  #isPending(vector: number): boolean {
    return ((this.#bytes[this.pendingOffset + (vector >>> 3)] ?? 0) & (1 << (vector & 7))) !== 0;
  }
  #setPending(vector: number, pending: boolean): void {
    const at = this.pendingOffset + (vector >>> 3);
    const bit = 1 << (vector & 7);
    const before = this.#bytes[at] ?? 0;
    this.#bytes[at] = pending ? before | bit : before & ~bit;
  }
}
