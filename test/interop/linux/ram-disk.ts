import { BlkDevice, type BlkRequest } from "../../../generated/blk.js";
import type { Completion } from "../../../src/runtime/index.js";

const SECTOR = 512;

/** A disk in memory that can grow, and that counts what it is asked for. */
export class RamDisk {
  readonly device: BlkDevice;
  /** The sectors; those behind the present end are there for later. */
  readonly bytes: Buffer;
  /** Requests by their type. */
  readonly counts = new Map<string, number>();
  /** Requests of each queue. */
  readonly perQueue: number[];
  /** A sector that cannot be read or written. */
  badSector: number | undefined;
  #sectors: number;

  /**
   * @param size bytes at first
   * @param largest bytes to which it can grow
   */
  constructor(size: number, largest: number, queues: number, more: readonly "ACCESS_PLATFORM"[] = []) {
    this.bytes = Buffer.alloc(largest);
    this.#sectors = size / SECTOR;
    this.perQueue = new Array<number>(queues).fill(0);
    this.device = new BlkDevice({
      features: ["FLUSH", "SEG_MAX", "BLK_SIZE", "MQ", "DISCARD", "WRITE_ZEROES", ...more],
      config: {
        capacity: BigInt(this.#sectors),
        segMax: 126,
        blkSize: SECTOR,
        numQueues: queues,
        maxDiscardSectors: 1 << 22,
        maxDiscardSeg: 1,
        discardSectorAlignment: 1,
        maxWriteZeroesSectors: 1 << 22,
        maxWriteZeroesSeg: 1,
        writeZeroesMayUnmap: 1,
      },
      requestq: (request) => this.#serve(request),
    });
  }

  /** How many requests of this type there were. */
  count(type: string): number {
    return this.counts.get(type) ?? 0;
  }

  /** Makes it another size, and tells the driver. */
  resize(size: number): void {
    this.#sectors = size / SECTOR;
    this.device.config.capacity = BigInt(this.#sectors);
  }

  #serve(request: BlkRequest): Completion {
    this.counts.set(String(request.type), this.count(String(request.type)) + 1);
    this.perQueue[request.queueIndex] = (this.perQueue[request.queueIndex] ?? 0) + 1;
    switch (request.type) {
      case "IN":
        if (!this.#fits(request.sectorNumber, request.data.length)) return request.complete("IOERR");
        request.data.write(this.bytes, request.sectorNumber * SECTOR);
        return request.complete("OK");
      case "OUT":
        if (!this.#fits(request.sectorNumber, request.data.length)) return request.complete("IOERR");
        request.data.read(this.bytes, request.sectorNumber * SECTOR);
        return request.complete("OK");
      case "FLUSH":
        return request.complete("OK");
      case "GET_ID":
        return request.complete({ id: "ram-disk-of-a-test", status: "OK" });
      case "DISCARD":
      case "WRITE_ZEROES":
        for (const { sector, numSectors } of request.segments) {
          if (!this.#fits(Number(sector), numSectors * SECTOR)) return request.complete("IOERR");
          this.bytes.fill(0, Number(sector) * SECTOR, (Number(sector) + numSectors) * SECTOR);
        }
        return request.complete("OK");
      default:
        return request.complete("UNSUPP");
    }
  }

  #fits(sector: number, length: number): boolean {
    const end = sector + length / SECTOR;
    const isBad = this.badSector !== undefined && this.badSector >= sector && this.badSector < end;
    return length % SECTOR === 0 && end <= this.#sectors && !isBad;
  }
}
