/** What a Worker of a test's disk is told. */
export interface WorkerDiskData {
  readonly bytes: SharedArrayBuffer;
  /** Numbers, see {@link numberOf}. */
  readonly shared: SharedArrayBuffer;
  /** "same": a replica of the disk that is served. */
  readonly kind: "same" | "throws" | "differs" | "silent";
  readonly number: number;
}

/** What the numbers say that all Workers and the test share. */
export const numberOf = {
  /** Milliseconds that every request takes to be answered, even when it was taken back meanwhile; 0: no time. */
  lateness: 0,
  /** Late answers that came to nothing, and others. */
  stale: 1,
  notStale: 2,
  /** Milliseconds that a write takes at most. Some writes are never answered then. 0: no time. */
  slowness: 3,
  /** So many writes more are answered in any case. */
  certain: 4,
  /** Workers that do nothing else any more. */
  spinning: 5,
  /** A read of `special.gate` waits for this to be other than 0, and the whole Worker with it. */
  gate: 6,
  /** Such a read waits there. */
  atGate: 7,
  /** How often this sector was written slowly; the others follow. */
  firstSector: 16,
} as const;

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
  /** Reads as how often the Worker's device was reset. */
  resets: 1009,
  /** Is answered when the gate is open. */
  gate: 1010,
  /** Is never answered, and holds on to guest memory. */
  holdMemory: 1011,
  /** Milliseconds that the answer takes are added. */
  late: 2000,
} as const;
