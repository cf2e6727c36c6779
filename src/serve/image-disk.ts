import { basename } from "node:path";
import { BlkDevice, type BlkRequest } from "../../generated/blk.js";
import type { Completion } from "../runtime/index.js";
import { ImageFile } from "./image-file.js";
import { type ServedDevice, ServeError, type ServedDeviceOptions } from "./served-device.js";

/** The protocol counts in sectors of 512 bytes, whatever the block size. */
const SECTOR = 512;
/** QEMU's queues have so many entries unless it is told otherwise. */
const QUEUE_SIZE = 128;
/** Front ends with larger queues than they were told of are served, too. */
const LARGEST_USUAL = 256;
/** Longest range of a discard or write-zeroes request, and how many of them a request may have. */
const MOST_SECTORS = 1 << 22;
const MOST_RANGES = 16;

export interface ImageDiskOptions extends ServedDeviceOptions {
  readonly path: string;
  readonly readOnly?: boolean;
  /** Request queues; 1 if absent. */
  readonly queues?: number;
  /** What GET_ID answers, at most 20 bytes; the name of the file if absent. */
  readonly id?: string;
  /** Entries of the front end's queues; 128 if absent. A request has two segments fewer. Larger ones, up to 256, do as well. */
  readonly queueSize?: number;
  /** Where requests are counted: its only element. It may be shared with other threads. */
  readonly tally?: Uint32Array;
}

/** A disk whose sectors are in a file. */
export interface ImageDisk extends ServedDevice {
  readonly device: BlkDevice;
  /** Looks at the size of the file again and tells the driver, if it has changed. Returns the sectors. */
  resize(): number;
}

/** @throws ServeError when the image cannot be used. */
export function openImageDisk(options: ImageDiskOptions): ImageDisk {
  const { path, readOnly = false, queues = 1, queueSize = QUEUE_SIZE } = options;
  const image = new ImageFile(path, readOnly);
  const sectors = Math.floor(image.size / SECTOR);
  if (sectors === 0) {
    image.close();
    throw new ServeError(`${path}: it does not hold a single sector of ${SECTOR} bytes`);
  }
  const id = (options.id ?? basename(path)).slice(0, 20);
  const { tally = new Uint32Array(1) } = options;

  function serve(request: BlkRequest): Completion {
    tally[0] = (tally[0] ?? 0) + 1;
    try {
      return answer(request);
    } catch (error) {
      options.onError?.(error instanceof Error ? error : new Error(String(error)));
      return request.complete("IOERR");
    }
  }

  function answer(request: BlkRequest): Completion {
    switch (request.type) {
      case "IN": {
        if (!fits(request.sectorNumber, request.data.length)) return request.complete("IOERR");
        image.read(request.data, request.sectorNumber * SECTOR);
        return request.complete("OK");
      }
      case "OUT": {
        if (readOnly || !fits(request.sectorNumber, request.data.length)) return request.complete("IOERR");
        image.write(request.data, request.sectorNumber * SECTOR);
        return request.complete("OK");
      }
      case "FLUSH":
        image.flush();
        return request.complete("OK");
      case "GET_ID":
        return request.complete({ id, status: "OK" });
      case "DISCARD":
      case "WRITE_ZEROES": {
        if (readOnly) return request.complete("IOERR");
        const { segments, type } = request;
        const inside = segments.every(({ sector, numSectors }) => fits(Number(sector), numSectors * SECTOR));
        const sensible =
          segments.every(({ numSectors }) => numSectors <= MOST_SECTORS) && segments.length <= MOST_RANGES;
        if (!inside || !sensible) return request.complete("IOERR");
        if (type === "DISCARD" && segments.some(({ flags }) => flags.unmap)) return request.complete("UNSUPP");
        // What was discarded may read as anything: as zeroes, which a sparse file need not keep.
        for (const { sector, numSectors } of segments) image.zero(Number(sector) * SECTOR, numSectors * SECTOR);
        return request.complete("OK");
      }
      default:
        return request.complete("UNSUPP");
    }
  }

  /** Whole sectors, and none past the end. In a Worker the end is that of the main thread's disk. */
  function fits(sector: number, length: number): boolean {
    return length % SECTOR === 0 && sector + length / SECTOR <= Number(device.config.capacity);
  }

  const device = new BlkDevice({
    features: [
      "FLUSH",
      "SEG_MAX",
      "BLK_SIZE",
      ...(options.features ?? []),
      ...(queues > 1 ? (["MQ"] as const) : []),
      ...(readOnly ? (["RO"] as const) : (["DISCARD", "WRITE_ZEROES"] as const)),
    ],
    config: {
      capacity: BigInt(sectors),
      // Head and status are segments, too, and a chain is no longer than its queue.
      segMax: queueSize - 2,
      blkSize: SECTOR,
      numQueues: queues,
      maxDiscardSectors: MOST_SECTORS,
      maxDiscardSeg: MOST_RANGES,
      discardSectorAlignment: 1,
      maxWriteZeroesSectors: MOST_SECTORS,
      maxWriteZeroesSeg: MOST_RANGES,
      writeZeroesMayUnmap: 0,
    },
    requestq: serve,
    queueSize: Math.max(queueSize, LARGEST_USUAL),
  });
  device.onProtocolError = options.onError;

  return {
    device,
    unit: "requests",
    get served() {
      return tally[0] ?? 0;
    },
    resize() {
      const now = BigInt(Math.floor(image.size / SECTOR));
      if (now !== device.config.capacity && now > 0n) device.config.capacity = now;
      return Number(device.config.capacity);
    },
    close() {
      image.close();
      return Promise.resolve();
    },
  };
}
