/** The configuration as far as the driver has read and written it, so that the next back end can be held to it. */
export class KnownConfig {
  /** In place of what the back end has. */
  readonly #own: Uint8Array | undefined;
  /** The first bytes, as they were before the driver wrote any; undefined if that is not known. */
  #read: Uint8Array | undefined;
  /** What was written since the last reset, by place, in the order of the last writes. */
  readonly writes = new Map<number, Uint8Array>();

  constructor(own: Uint8Array | undefined) {
    this.#own = own;
    this.#read = undefined;
  }

  /** @param read reads so many of the first bytes; there may be fewer */
  async read(offset: number, length: number, read: (length: number) => Promise<Uint8Array>): Promise<Uint8Array> {
    const end = offset + length;
    if (this.#own !== undefined) return this.#own.slice(offset, end);
    const bytes = await read(end);
    // What a write changes is the device's business: only what is there from the start on can be compared.
    if (this.writes.size === 0) {
      const rest = this.#read?.slice(bytes.length) ?? new Uint8Array(0);
      this.#read = Uint8Array.from([...bytes, ...rest]);
    }
    return bytes.slice(offset, end);
  }
  /** Returns what takes the note back, for a write that was refused. */
  written(offset: number, bytes: Uint8Array): () => void {
    const before = this.writes.get(offset);
    const noted = bytes.slice();
    this.writes.delete(offset);
    this.writes.set(offset, noted);
    return () => {
      if (this.writes.get(offset) !== noted) return;
      this.writes.delete(offset);
      if (before !== undefined) this.writes.set(offset, before);
    };
  }
  /** The device has changed it. */
  changed(): void {
    this.#read = undefined;
  }
  /** The device was reset. */
  reset(): void {
    this.#read = undefined;
    this.writes.clear();
  }

  /** What is not the same in another back end, that nothing was written to. */
  async difference(read: (length: number) => Promise<Uint8Array>): Promise<string | undefined> {
    const known = this.#read;
    if (this.#own !== undefined || known === undefined) return undefined;
    const found = await read(known.length);
    for (let at = 0; at < known.length; at++) {
      if (known[at] !== found[at])
        return `byte ${at} of the configuration is ${found[at] ?? "missing"}, not ${known[at]}`;
    }
    return undefined;
  }
}
