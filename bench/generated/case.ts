/** The same work by generated code and by code that somebody wrote for it alone. */
export interface Case {
  readonly name: string;
  /** Items that one round handles. */
  readonly items: number;
  /** Both return a sum over what they decoded or wrote, so that nothing can be left out; the sums must be the same. */
  readonly generated: (rounds: number) => number;
  readonly byHand: (rounds: number) => number;
}
