/** Where translations begin and end; they may stand for more than one page. */
const pageBytes = 4096;
/** Most addresses that are asked for at once for one ring. */
const mostWants = 64;
/** Most addresses that are kept as asked for. */
const mostAsked = 256;
/** Milliseconds after which the same is asked for again, if somebody still wants it. */
const patience = 1000;

const noPages: ReadonlySet<number> = new Set();

/** An address that somebody wants to access. */
export interface Want {
  readonly address: number;
  readonly isWrite: boolean;
}

/** A ring that stands still because of what is not known. */
interface Stall {
  readonly wants: readonly Want[];
  /** Pages that the front end knows no translation of. */
  readonly refused: Set<number>;
}

export interface MissesHost {
  isKnown(want: Want): boolean;
  /** Asks the front end. `onAnswer` is told when it has answered, false: that there is no such translation. */
  ask(want: Want, onAnswer: (isKnown: boolean) => void): void;
  /** The ring waits for something that the front end has no translation of: at the next look that is told of. */
  refused(ring: number): void;
}

/** What is not known and was asked for, and the rings that stand still because of it. */
export class Misses {
  readonly #host: MissesHost;
  /** What was not found since {@link begin}. */
  #wants: Want[] = [];
  readonly #stalls = new Map<number, Stall>();
  /** When a page was asked for. Oldest first. */
  readonly #asked = new Map<number, number>();
  #refused: ReadonlySet<number> = noPages;
  /** What is looked at leads nowhere: there is nothing to wait for. */
  #isHopeless = false;

  constructor(host: MissesHost) {
    this.#host = host;
  }

  /** A ring is looked at, or what it needs is: see {@link end}. */
  begin(ring: number): void {
    this.#wants.length = 0;
    this.#isHopeless = false;
    this.#refused = this.#stalls.get(ring)?.refused ?? noPages;
  }

  /** Part of [address, address + length) was not found. */
  want(address: number, length: number, isWrite: boolean): void {
    const end = address + length;
    for (let at = address; at < end && this.#wants.length < mostWants;) {
      const want = { address: at, isWrite };
      if (!this.#host.isKnown(want)) this.#wants.push(want);
      at = (Math.floor(at / pageBytes) + 1) * pageBytes;
    }
  }

  /** The front end has said, to the ring that is looked at, that there is no translation of this address. */
  isRefused(address: number, isWrite: boolean): boolean {
    const isRefused = this.#refused.size > 0 && this.#refused.has(keyOf({ address, isWrite }));
    if (isRefused) this.#isHopeless = true;
    return isRefused;
  }

  /**
   * Asks for what was not found since {@link begin}; until it is known the ring stands still. True: nothing was missing that it
   * could wait for.
   */
  end(ring: number): boolean {
    const wants = this.#wants;
    this.#refused = noPages;
    if (wants.length === 0 || this.#isHopeless) {
      if (this.#stalls.size > 0) this.#stalls.delete(ring);
      return true;
    }
    let stall = this.#stalls.get(ring);
    // Looked at again while it waits, it stays the one that has asked.
    if (stall === undefined || !areSame(stall.wants, wants)) {
      this.#wants = [];
      stall = { wants, refused: new Set() };
      this.#stalls.set(ring, stall);
    }
    for (const want of stall.wants) this.#ask(want, stall);
    return false;
  }

  /**
   * What is in [start, end) is known. Returns the rings that miss nothing any more that they were seen to miss. What the others
   * miss is asked for again if it was known and taken back meanwhile.
   */
  learned(start: number, end: number): readonly number[] {
    for (const key of this.#asked.keys()) {
      const address = addressOf(key);
      if (address < end && address + pageBytes > start) this.#asked.delete(key);
    }
    const complete: number[] = [];
    for (const [ring, stall] of [...this.#stalls]) {
      const missing = stall.wants.filter((want) => !this.#host.isKnown(want));
      if (missing.length === 0) complete.push(ring);
      for (const want of missing) this.#ask(want, stall);
    }
    return complete;
  }

  /** A ring does not wait any more. */
  forget(ring: number): void {
    this.#stalls.delete(ring);
  }

  #ask(want: Want, asking: Stall): void {
    const key = keyOf(want);
    const now = performance.now();
    const before = this.#asked.get(key);
    if (before !== undefined && now - before < patience) return;
    this.#asked.delete(key);
    for (const oldest of this.#asked.keys()) {
      if (this.#asked.size < mostAsked) break;
      this.#asked.delete(oldest);
    }
    this.#asked.set(key, now);
    this.#host.ask(want, (isKnown) => {
      // Otherwise it comes, or has come.
      if (isKnown) return;
      this.#asked.delete(key);
      this.#refuse(key, asking);
    });
  }

  /** There is no such translation: who asked is told so at the next look. Who came to want it later asks then. */
  #refuse(key: number, asking: Stall): void {
    for (const [ring, stall] of [...this.#stalls]) {
      if (!stall.wants.some((want) => keyOf(want) === key && !this.#host.isKnown(want))) continue;
      if (stall === asking) stall.refused.add(key);
      this.#host.refused(ring);
    }
  }
}

function areSame(some: readonly Want[], others: readonly Want[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ address, isWrite }, at) => others[at]?.address === address && others[at].isWrite === isWrite)
  );
}

function keyOf({ address, isWrite }: Want): number {
  return 2 * Math.floor(address / pageBytes) + (isWrite ? 1 : 0);
}
function addressOf(key: number): number {
  return Math.floor(key / 2) * pageBytes;
}
