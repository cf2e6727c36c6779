export const PAGE = 4096;

/** What a page is full of when it comes. */
export const contentOf = (page: number): number => 0x40 + (page % 0x40);

export const Counter = { faults: 0, stop: 1, ready: 2 } as const;

/** Memory of the guest, and where the back end has it. */
export interface PlacedRegion {
  readonly file: number;
  readonly length: number;
  readonly base: bigint;
}

export interface AnswererData {
  /** The userfaultfd. */
  readonly faults: number;
  readonly regions: readonly PlacedRegion[];
  readonly counters: SharedArrayBuffer;
  /** At the first fault it closes the descriptor and is gone. */
  readonly dies: boolean;
}
