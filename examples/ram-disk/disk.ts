import { BlkDevice, type BlkRequest } from "virtio-gen/devices/blk";

/** The protocol counts in sectors of 512 bytes, whatever the block size. */
export const SECTOR = 512;

/** A disk in memory: the whole device side of a virtio block device. */
export function createRamDisk(bytes: Uint8Array): BlkDevice {
  return new BlkDevice({
    features: ["FLUSH", "SEG_MAX", "WRITE_ZEROES"],
    config: {
      capacity: BigInt(Math.floor(bytes.length / SECTOR)),
      segMax: 126,
      maxWriteZeroesSectors: 1 << 20,
      maxWriteZeroesSeg: 1,
    },
    requestq: (request) => serve(bytes, request),
  });
}

function serve(bytes: Uint8Array, request: BlkRequest) {
  switch (request.type) {
    case "IN": {
      if (!fits(bytes, request.sectorNumber, request.data.length)) return request.complete("IOERR");
      request.data.write(bytes, request.sectorNumber * SECTOR);
      return request.complete("OK");
    }
    case "OUT": {
      if (!fits(bytes, request.sectorNumber, request.data.length)) return request.complete("IOERR");
      request.data.read(bytes, request.sectorNumber * SECTOR);
      return request.complete("OK");
    }
    case "FLUSH":
      return request.complete("OK");
    case "GET_ID":
      return request.complete({ id: "ram-disk", status: "OK" });
    case "WRITE_ZEROES": {
      for (const { sector, numSectors } of request.segments) {
        const start = Number(sector) * SECTOR;
        if (!fits(bytes, Number(sector), numSectors * SECTOR)) return request.complete("IOERR");
        bytes.fill(0, start, start + numSectors * SECTOR);
      }
      return request.complete("OK");
    }
    default:
      return request.complete("UNSUPP");
  }
}

/** Whole sectors, and none past the end. */
function fits(bytes: Uint8Array, sector: number, length: number): boolean {
  return length % SECTOR === 0 && sector * SECTOR + length <= bytes.length;
}
