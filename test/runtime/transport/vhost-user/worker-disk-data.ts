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
  /** So many milliseconds after it was taken back every request is answered nevertheless; 0: at once. */
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
  /** Reads of `special.kept` are answered from when this is not 0 on. */
  released: 8,
  /** Such reads that were taken. */
  kept: 9,
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
  /** Is answered when the test says so. */
  kept: 1012,
  /** Milliseconds that the answer takes are added. */
  late: 2000,
} as const;
