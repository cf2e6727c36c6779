import {
  type BlkDiscardWriteZeroes,
  type BlkZoneDescriptor,
  readBlkDiscardWriteZeroes,
  readBlkZoneDescriptor,
  writeBlkDiscardWriteZeroes,
  writeBlkZoneDescriptor,
} from "virtio-gen/devices/blk";
import { NetFeature, type NetHdr, readNetHdr, writeNetHdr } from "virtio-gen/devices/net";
import { ByteReader, ByteWriter, FeatureSet } from "virtio-gen/runtime";
import { readHeader, readSegment, readZone, writeHeader, writeSegment, writeZone } from "./by-hand.js";
import type { Case } from "./case.js";

/** Structures in one round, one behind the other. */
const COUNT = 256;

/** Decoded objects are kept for a while, as in a program that uses them, so that both sides have to make them. */
const kept = new Array<unknown>(16).fill(undefined);

const segments = Array.from({ length: COUNT }, (_, k): BlkDiscardWriteZeroes => {
  return { sector: BigInt(k * 2048), numSectors: 8 + k, flags: { unmap: k % 3 === 0 } };
});

const zones = Array.from({ length: COUNT }, (_, k): BlkZoneDescriptor => {
  const start = BigInt(k) << 20n;
  return {
    zCap: 524288n,
    zStart: start,
    zWp: start + BigInt(k),
    zType: k < 4 ? "CONV" : "SWR",
    zState: k < 4 ? "NOT_WP" : k % 2 === 0 ? "IOPEN" : "FULL",
  };
});

const headers = Array.from({ length: COUNT }, (_, k): NetHdr => {
  return {
    flags: k % 2,
    gsoType: 0,
    hdrLen: 54,
    gsoSize: k,
    csumStart: 34,
    csumOffset: 16,
    numBuffers: 1,
    hashValue: k,
    hashReport: k % 2 === 0 ? "TCPv4" : "UDPv6",
  };
});

const broken = new Error("a structure does not fit");

/*
 * Every case has loops of its own, with direct calls: with one loop for all, calls through variables would cost more than
 * what is measured.
 */

const segmentBytes = new Uint8Array(COUNT * 16);

const writeSegments: Case = {
  name: "write virtio_blk_discard_write_zeroes",
  items: COUNT,
  generated(rounds) {
    const writer = new ByteWriter(segmentBytes);
    for (let round = 0; round < rounds; round++) {
      writer.reset(segmentBytes);
      for (const segment of segments) writeBlkDiscardWriteZeroes(writer, segment);
      if (writer.error !== undefined) throw writer.error;
    }
    return sumOf(segmentBytes);
  },
  byHand(rounds) {
    const view = new DataView(segmentBytes.buffer);
    for (let round = 0; round < rounds; round++) {
      let at = 0;
      for (const segment of segments) {
        if (!writeSegment(view, at, segment)) throw broken;
        at += 16;
      }
    }
    return sumOf(segmentBytes);
  },
};

const readSegments: Case = {
  name: "read virtio_blk_discard_write_zeroes",
  items: COUNT,
  generated(rounds) {
    let sum = 0;
    const reader = new ByteReader(segmentBytes);
    for (let round = 0; round < rounds; round++) {
      reader.reset(segmentBytes);
      for (let k = 0; k < COUNT; k++) {
        const segment = readBlkDiscardWriteZeroes(reader);
        kept[k & 15] = segment;
        sum += segment.numSectors;
      }
      if (reader.error !== undefined) throw reader.error;
    }
    return sum;
  },
  byHand(rounds) {
    const view = new DataView(segmentBytes.buffer);
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      for (let k = 0; k < COUNT; k++) {
        const segment = readSegment(view, k * 16);
        if (segment === undefined) throw broken;
        kept[k & 15] = segment;
        sum += segment.numSectors;
      }
    }
    return sum;
  },
};

const zoneBytes = new Uint8Array(COUNT * 64);

const writeZones: Case = {
  name: "write virtio_blk_zone_descriptor",
  items: COUNT,
  generated(rounds) {
    const writer = new ByteWriter(zoneBytes);
    for (let round = 0; round < rounds; round++) {
      writer.reset(zoneBytes);
      for (const zone of zones) writeBlkZoneDescriptor(writer, zone);
      if (writer.error !== undefined) throw writer.error;
    }
    return sumOf(zoneBytes);
  },
  byHand(rounds) {
    const view = new DataView(zoneBytes.buffer);
    for (let round = 0; round < rounds; round++) {
      let at = 0;
      for (const zone of zones) {
        if (!writeZone(view, zoneBytes, at, zone)) throw broken;
        at += 64;
      }
    }
    return sumOf(zoneBytes);
  },
};

const readZones: Case = {
  name: "read virtio_blk_zone_descriptor",
  items: COUNT,
  generated(rounds) {
    let sum = 0;
    const reader = new ByteReader(zoneBytes);
    for (let round = 0; round < rounds; round++) {
      reader.reset(zoneBytes);
      for (let k = 0; k < COUNT; k++) {
        const zone = readBlkZoneDescriptor(reader);
        kept[k & 15] = zone;
        if (zone.zState === "IOPEN") sum += k;
      }
      if (reader.error !== undefined) throw reader.error;
    }
    return sum;
  },
  byHand(rounds) {
    const view = new DataView(zoneBytes.buffer);
    let sum = 0;
    for (let round = 0; round < rounds; round++) {
      for (let k = 0; k < COUNT; k++) {
        const zone = readZone(view, k * 64);
        if (zone === undefined) throw broken;
        kept[k & 15] = zone;
        if (zone.zState === "IOPEN") sum += k;
      }
    }
    return sum;
  },
};

/** The header of packets has 12 bytes with no features, and 20 with HASH_REPORT. */
function headerCases(size: 12 | 20, features: FeatureSet): Case[] {
  const bytes = new Uint8Array(COUNT * size);
  const write: Case = {
    name: `write virtio_net_hdr, ${size} bytes`,
    items: COUNT,
    generated(rounds) {
      const writer = new ByteWriter(bytes);
      for (let round = 0; round < rounds; round++) {
        writer.reset(bytes);
        for (const header of headers) writeNetHdr(writer, header, features);
        if (writer.error !== undefined) throw writer.error;
      }
      return sumOf(bytes);
    },
    byHand(rounds) {
      const view = new DataView(bytes.buffer);
      for (let round = 0; round < rounds; round++) {
        let at = 0;
        for (const header of headers) {
          if (!writeHeader(view, at, header, features)) throw broken;
          at += size;
        }
      }
      return sumOf(bytes);
    },
  };
  const read: Case = {
    name: `read virtio_net_hdr, ${size} bytes`,
    items: COUNT,
    generated(rounds) {
      let sum = 0;
      const reader = new ByteReader(bytes);
      for (let round = 0; round < rounds; round++) {
        reader.reset(bytes);
        for (let k = 0; k < COUNT; k++) {
          const header = readNetHdr(reader, features);
          kept[k & 15] = header;
          sum += header.gsoSize;
        }
        if (reader.error !== undefined) throw reader.error;
      }
      return sum;
    },
    byHand(rounds) {
      const view = new DataView(bytes.buffer);
      let sum = 0;
      for (let round = 0; round < rounds; round++) {
        for (let k = 0; k < COUNT; k++) {
          const header = readHeader(view, k * size, features);
          if (header === undefined) throw broken;
          kept[k & 15] = header;
          sum += header.gsoSize;
        }
      }
      return sum;
    },
  };
  return [write, read];
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (sum * 31 + byte) | 0;
  return sum;
}

/** Structures alone. Writing comes before reading: what was written is read. */
export const structCases: readonly Case[] = [
  writeSegments,
  readSegments,
  writeZones,
  readZones,
  ...headerCases(12, FeatureSet.none),
  ...headerCases(20, FeatureSet.of([NetFeature.HASH_REPORT])),
];
