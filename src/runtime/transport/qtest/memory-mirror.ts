import type { QueueAddresses } from "../../ring/index.js";
import type { QtestClient } from "./qtest-client.js";

const PAGE = 4096;

/**
 * Guest memory as a copy that is kept the same as QEMU's through the socket, for systems where it cannot be mapped. What
 * either side writes reaches the other only with {@link synchronize}: whoever uses the copy must call it again and again.
 */
export class MemoryMirror {
  /** The copy. */
  readonly bytes: Uint8Array;
  /** Guest-physical address of its first byte. */
  readonly start: number;
  readonly #qtest: QtestClient;
  /** Memory as both sides knew it last. */
  readonly #known: Uint8Array;
  /** Descriptors and driver area of each queue. */
  readonly #late: LateArea[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(qtest: QtestClient, start: number, length: number) {
    this.#qtest = qtest;
    this.start = start;
    this.bytes = new Uint8Array(length);
    this.#known = new Uint8Array(length);
  }

  /** Sends QEMU the pages that were written here. */
  push(): Promise<void> {
    return this.#alone(() => this.#push());
  }

  /**
   * Sends what was written here and fetches what QEMU wrote, up to `end` (a guest-physical address). Where both wrote the
   * same byte, what was written here stays.
   */
  synchronize(end: number): Promise<void> {
    return this.#alone(async () => {
      await this.#push();
      const length = Math.min(this.bytes.length, Math.max(0, Math.ceil((end - this.start) / PAGE) * PAGE));
      if (length === 0) return;
      const theirs = await this.#qtest.readBytes(this.start, length);
      for (let page = 0; page < length; page += PAGE) {
        if (isSame(theirs, this.#known, page)) continue;
        for (let at = page; at < page + PAGE; at++) {
          const their = theirs[at] ?? 0;
          const known = this.#known[at] ?? 0;
          if (their === known) continue;
          if (this.bytes[at] === known) this.bytes[at] = their;
          this.#known[at] = their;
        }
      }
    });
  }

  /**
   * Memory of a queue that is about to be enabled: its descriptors are sent behind all other memory and its driver area
   * behind those, so that QEMU, which goes on meanwhile, never sees an index before what it stands for.
   */
  addQueue({ size, descriptor, driver }: QueueAddresses): void {
    const area = (address: number, length: number): LateArea => ({
      start: address - this.start,
      end: address - this.start + length,
    });
    this.#late.push(area(descriptor, 16 * size), area(driver, 6 + 2 * size));
  }

  async #push(): Promise<void> {
    const runs: [number, number][] = [];
    for (let page = 0; page < this.bytes.length; page += PAGE) {
      // Only what changed here: the rest of the page may have been written by QEMU since.
      if (!isSame(this.bytes, this.#known, page)) runs.push(...changes(this.bytes, this.#known, page));
    }
    const rank = ([from]: [number, number]): number =>
      this.#late.findIndex(({ start, end }) => from >= start && from < end);
    // In a driver area the index stands in front of the entries.
    runs.sort((one, other) => rank(one) - rank(other) || other[0] - one[0]);
    const sent = runs.map(([from, to]) => {
      const part = this.bytes.slice(from, to);
      this.#known.set(part, from);
      return this.#qtest.writeBytes(this.start + from, part);
    });
    await Promise.all(sent);
  }

  #alone(work: () => Promise<void>): Promise<void> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function isSame(one: Uint8Array, other: Uint8Array, page: number): boolean {
  const end = page + PAGE;
  return Buffer.compare(one.subarray(page, end), other.subarray(page, end)) === 0;
}

/** The areas of a queue in the order in which a device may see them change: the index comes last in each. */
interface LateArea {
  readonly start: number;
  readonly end: number;
}

/** Runs of bytes that differ; unchanged ones are never part of a run. */
function changes(now: Uint8Array, before: Uint8Array, page: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let at = page; at < page + PAGE; at++) {
    if (now[at] === before[at]) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = at + 1;
    else runs.push([at, at + 1]);
  }
  return runs;
}
