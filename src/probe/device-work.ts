import type { DriverTransport } from "../runtime/index.js";

/** A buffer that a device can be given: what it reads, and rooms for what it writes, in bytes. */
export interface Work {
  readonly queue: number;
  readonly readable: Uint8Array;
  readonly writable: readonly number[];
}

const NET = 1;
const BLK = 2;
const CONSOLE = 3;
const ENTROPY = 4;
const BALLOON = 5;
const SCSI = 8;
const GPU = 16;
const INPUT = 18;
const VSOCK = 19;
const PMEM = 27;

const PAGE = 4096;
const NOTHING = new Uint8Array(0);

/** Devices whose queue 0 holds buffers until something happens. */
const RECEIVES_ON_QUEUE_0: ReadonlySet<number> = new Set([NET, CONSOLE, INPUT, VSOCK]);

/** What a device serves at once, on a queue each, as far as its type is known. */
export function promptWork(transport: DriverTransport): readonly Work[] {
  switch (transport.deviceId) {
    case NET:
      // A header of zeroes and a frame.
      return [{ queue: 1, readable: new Uint8Array(12 + 60), writable: [] }];
    case BLK:
      return [0, 1].map((queue) => readSector(queue));
    case CONSOLE:
      return [{ queue: 1, readable: Uint8Array.of(10), writable: [] }];
    case ENTROPY:
      return [{ queue: 0, readable: NOTHING, writable: [64] }];
    case BALLOON: {
      // A page of nobody's is given away, and taken back.
      const page = words(transport.allocator.allocate(PAGE, PAGE) / PAGE);
      return [0, 1].map((queue) => ({ queue, readable: page, writable: [] }));
    }
    case SCSI:
      // A task management function, and a command, for a unit that is not there.
      return [
        { queue: 0, readable: new Uint8Array(24), writable: [1] },
        { queue: 2, readable: new Uint8Array(51), writable: [108] },
      ];
    case GPU:
      return [{ queue: 0, readable: words(0x100, 0, 0, 0, 0, 0), writable: [408] }];
    case PMEM:
      return [{ queue: 0, readable: words(0), writable: [4] }];
    default:
      return [];
  }
}

/** What stays in flight on queue 0, for a disk when it is slow; undefined if there is nothing. */
export function slowWork({ deviceId }: DriverTransport): Work | undefined {
  if (isDisk(deviceId)) return readSector(0);
  return RECEIVES_ON_QUEUE_0.has(deviceId) ? { queue: 0, readable: NOTHING, writable: [2048] } : undefined;
}

export function isDisk(deviceId: number): boolean {
  return deviceId === BLK;
}

/** A header of zeroes, the data, the status. */
function readSector(queue: number): Work {
  return { queue, readable: new Uint8Array(16), writable: [512, 1] };
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
