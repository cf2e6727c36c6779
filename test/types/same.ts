/** True if two types are the same, and not only assignable to each other. */
export type Same<Left, Right> =
  (<Type>() => Type extends Left ? 1 : 2) extends <Type>() => Type extends Right ? 1 : 2 ? true : false;

/** A line of a test that holds if it compiles: `holds<Same<typeof value, number>>()`. */
export declare function holds<_Claim extends true>(): void;
