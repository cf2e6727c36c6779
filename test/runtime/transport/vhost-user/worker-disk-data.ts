/** What a Worker of a test's disk is told. */
export interface WorkerDiskData {
  readonly bytes: SharedArrayBuffer;
  /** "same": a replica of the disk that is served. */
  readonly kind: "same" | "throws" | "differs" | "silent";
  readonly number: number;
}

/** Sectors beyond the disk, whose reads make a Worker do something. */
export const special = {
  /** Reads as the number of the Worker and 100. */
  who: 1000,
  /** Is held until `letGo` is read. */
  hold: 1001,
  letGo: 1002,
  /** An error that nobody catches. */
  crash: 1003,
  exit: 1004,
  spin: 1005,
  /** Reads as the lowest byte of a field of the configuration. */
  capacity: 1006,
  writeback: 1007,
  collectGarbage: 1008,
  /** Milliseconds that the answer takes are added. */
  late: 2000,
} as const;
