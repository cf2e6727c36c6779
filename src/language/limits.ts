/** Brackets in brackets; far more than a definition needs, far less than a call stack holds. */
export const maximumNesting = 64;
/** Height of the tree of one expression: `1 + 1 + 1` has 3. Passes over it may recurse. */
export const maximumExpressionDepth = 256;
/** A file with more mistakes than this is no definition; the rest of them are not reported. */
export const maximumComplaints = 100;
