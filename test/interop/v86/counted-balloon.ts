import {
  BalloonDevice,
  BalloonFeature,
  type BalloonCommandId,
  type BalloonFreePageHint,
  type BalloonFreePageReport,
  type BalloonPagesBuffer,
  type BalloonStatsBuffer,
  type BalloonStatTag,
} from "../../../generated/balloon.js";
import type { CommonFeatureName, Completion, GuestMemory, WritableBytes } from "../../../src/runtime/index.js";

export const PAGE = 4096;
const ALL = [
  "MUST_TELL_HOST",
  "STATS_VQ",
  "DEFLATE_ON_OOM",
  "FREE_PAGE_HINT",
  "PAGE_POISON",
  "PAGE_REPORTING",
] as const;
/** What the host leaves in memory that it was given: nobody may depend on it. */
const RUBBISH = 0x5a;

/** Some pages that follow one another. */
export interface PageRange {
  readonly first: number;
  readonly count: number;
}

/**
 * A balloon that knows each page by its number, and makes use of what it is given: whatever was in those pages is gone.
 * What must not happen is noted in `mistakes`.
 */
export class CountedBalloon {
  readonly device: BalloonDevice;
  /** Pages that are in the balloon now. */
  readonly pages = new Set<number>();
  /** Pages that came and went so far. */
  inflated = 0;
  deflated = 0;
  /** What the driver wrote to `actual` last. */
  actual = 0;
  /** Free pages that were reported so far. */
  reported = 0;
  /** Command ids as they came, and the pages of the last one. */
  readonly commands: (BalloonCommandId | number)[] = [];
  readonly hinted: PageRange[] = [];
  readonly mistakes: string[] = [];
  /** What the device says that the driver does wrong. */
  readonly problems: string[] = [];
  /** The guest's memory, once there is a guest. */
  memory: GuestMemory | undefined = undefined;
  #held: BalloonStatsBuffer | undefined = undefined;
  #statisticsCame: () => void = () => undefined;

  /** @param features Common features to offer besides those that are always offered. */
  constructor(features: readonly CommonFeatureName[]) {
    this.device = new BalloonDevice({
      features: [...ALL, ...features],
      config: { numPages: 0 },
      inflateq: (buffer) => this.#inflate(buffer),
      deflateq: (buffer) => this.#deflate(buffer),
      statsq: (buffer) => {
        this.#held = buffer;
        this.#statisticsCame();
      },
      freePageVq: (request) => this.#takeHint(request),
      reportingVq: (request) => this.#takeReport(request),
      configWritten: { actual: (value) => void (this.actual = value) },
      onProtocolError: (error) => void this.problems.push(error.message),
    });
  }

  /** What every byte of a free page is, if the driver fills free pages. */
  get poison(): number | undefined {
    const { config, negotiated } = this.device;
    return negotiated.has(BalloonFeature.PAGE_POISON) ? config.poisonVal & 0xff : undefined;
  }

  /** Asks for statistics, and waits for them. */
  async statistics(): Promise<ReadonlyMap<BalloonStatTag | number, number>> {
    for (;;) {
      const came = new Promise<void>((resolve) => (this.#statisticsCame = resolve));
      // One that is stale was in flight when v86's memory moved: it comes once more.
      const outcome = this.#held?.complete();
      await came;
      const { stats } = this.#held ?? { stats: [] };
      if (outcome === "completed") return new Map(stats.map(({ tag, val }) => [tag, Number(val)]));
    }
  }

  /** Asks for hints under this command id, which is not 0 or 1. */
  startHints(id: number): void {
    this.hinted.length = 0;
    this.device.config.freePageHintCmdId = id;
  }

  #inflate(buffer: BalloonPagesBuffer): Completion {
    for (const page of buffer.pages) {
      if (this.pages.has(page)) this.mistakes.push(`page ${page} was given twice`);
      this.pages.add(page);
      this.#bytesOf(page).fill(RUBBISH);
    }
    this.inflated += buffer.pages.length;
    return buffer.complete();
  }

  #deflate(buffer: BalloonPagesBuffer): Completion {
    for (const page of buffer.pages) {
      if (!this.pages.delete(page)) this.mistakes.push(`page ${page} was taken back and was not here`);
      if (this.#bytesOf(page).some((byte) => byte !== RUBBISH)) this.mistakes.push(`page ${page} was written to`);
    }
    this.deflated += buffer.pages.length;
    return buffer.complete();
  }

  #takeHint(request: BalloonFreePageHint): Completion {
    const { cmdId, page } = request;
    if (cmdId !== undefined) this.commands.push(cmdId);
    // Pages of a command that is over are the driver's again (5.5.6.5.2).
    else if (this.commands.at(-1) === this.device.config.freePageHintCmdId) {
      for (const range of this.#rangesOf(page)) {
        this.#mustBeOutside(range, "hinted at");
        if (
          this.hinted.some(
            (other) => other.first < range.first + range.count && range.first < other.first + other.count,
          )
        )
          this.mistakes.push(`page ${range.first} was hinted at twice`);
        this.hinted.push(range);
      }
      page.fill(RUBBISH);
    }
    return request.complete();
  }

  #takeReport(request: BalloonFreePageReport): Completion {
    const { pages } = request;
    const { poison } = this;
    for (const range of this.#rangesOf(pages)) {
      this.#mustBeOutside(range, "reported");
      this.reported += range.count;
    }
    if (poison !== undefined) {
      const found = new Uint8Array(pages.length);
      pages.peek(found);
      if (found.some((byte) => byte !== poison)) this.mistakes.push("a free page was reported that is not filled");
    }
    // With poison, free pages keep it (5.5.6.7.2).
    pages.fill(poison ?? RUBBISH);
    return request.complete();
  }

  #mustBeOutside({ first, count }: PageRange, what: string): void {
    for (let page = first; page < first + count; page++)
      if (this.pages.has(page)) this.mistakes.push(`page ${page} is in the balloon and was ${what}`);
  }

  #rangesOf(bytes: WritableBytes): readonly PageRange[] {
    return Array.from({ length: bytes.segmentCount }, (_, index) => {
      const start = this.#memory.startOf(bytes.segmentBytes(index)) + bytes.segmentOffset(index);
      const length = bytes.segmentLength(index);
      if (start % PAGE !== 0 || length % PAGE !== 0)
        this.mistakes.push(`${length} bytes from ${start} on are no pages`);
      return { first: start / PAGE, count: length / PAGE };
    });
  }

  #bytesOf(page: number): Uint8Array {
    const region = this.#memory.locate(page * PAGE, PAGE);
    if (region === undefined) throw new Error(`there is no page ${page}`);
    return region.bytes.subarray(page * PAGE - region.start, (page + 1) * PAGE - region.start);
  }

  get #memory(): GuestMemory {
    if (this.memory === undefined) throw new Error("there is no guest yet");
    return this.memory;
  }
}
