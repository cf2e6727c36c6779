/*
 * What one would write with a DataView for these few layouts, with the guarantees that generated code gives: the bytes
 * must be there, checked once for each structure; a value that does not fit its field is refused; enum members are names.
 * Readers return undefined and writers false if something is wrong.
 */
import type { BlkDiscardWriteZeroes, BlkZoneDescriptor, BlkZoneState, BlkZoneType } from "virtio-gen/devices/blk";
import { NetFeature, type NetHashReport, type NetHdr } from "virtio-gen/devices/net";
import type { FeatureSet } from "virtio-gen/runtime";

const MAX_U64 = 0xffff_ffff_ffff_ffffn;

const isU16 = (value: number): boolean => (value & 0xffff) === value;
const isU32 = (value: number): boolean => value >>> 0 === value;
const isU64 = (value: bigint): boolean => value >= 0n && value <= MAX_U64;

// ---- virtio_blk_discard_write_zeroes ----

export function readSegment(view: DataView, at: number): BlkDiscardWriteZeroes | undefined {
  if (at + 16 > view.byteLength) return undefined;
  return {
    sector: view.getBigUint64(at, true),
    numSectors: view.getUint32(at + 8, true),
    flags: { unmap: (view.getUint32(at + 12, true) & 1) === 1 },
  };
}

export function writeSegment(view: DataView, at: number, value: BlkDiscardWriteZeroes): boolean {
  if (at + 16 > view.byteLength || !isU64(value.sector) || !isU32(value.numSectors)) return false;
  view.setBigUint64(at, value.sector, true);
  view.setUint32(at + 8, value.numSectors, true);
  view.setUint32(at + 12, value.flags.unmap ? 1 : 0, true);
  return true;
}

// ---- virtio_blk_zone_descriptor ----

function zoneType(value: number): BlkZoneType | number {
  switch (value) {
    case 1:
      return "CONV";
    case 2:
      return "SWR";
    case 3:
      return "SWP";
    default:
      return value;
  }
}

function zoneState(value: number): BlkZoneState | number {
  switch (value) {
    case 0:
      return "NOT_WP";
    case 1:
      return "EMPTY";
    case 2:
      return "IOPEN";
    case 3:
      return "EOPEN";
    case 4:
      return "CLOSED";
    case 13:
      return "RDONLY";
    case 14:
      return "FULL";
    case 15:
      return "OFFLINE";
    default:
      return value;
  }
}

const zoneTypes = { CONV: 1, SWR: 2, SWP: 3 };
const zoneStates = { NOT_WP: 0, EMPTY: 1, IOPEN: 2, EOPEN: 3, CLOSED: 4, RDONLY: 13, FULL: 14, OFFLINE: 15 };

export function readZone(view: DataView, at: number): BlkZoneDescriptor | undefined {
  if (at + 64 > view.byteLength) return undefined;
  return {
    zCap: view.getBigUint64(at, true),
    zStart: view.getBigUint64(at + 8, true),
    zWp: view.getBigUint64(at + 16, true),
    zType: zoneType(view.getUint8(at + 24)),
    zState: zoneState(view.getUint8(at + 25)),
  };
}

export function writeZone(view: DataView, bytes: Uint8Array, at: number, value: BlkZoneDescriptor): boolean {
  const type = typeof value.zType === "number" ? value.zType : zoneTypes[value.zType];
  const state = typeof value.zState === "number" ? value.zState : zoneStates[value.zState];
  if (at + 64 > bytes.length || (type & 0xff) !== type || (state & 0xff) !== state) return false;
  if (!isU64(value.zCap) || !isU64(value.zStart) || !isU64(value.zWp)) return false;
  view.setBigUint64(at, value.zCap, true);
  view.setBigUint64(at + 8, value.zStart, true);
  view.setBigUint64(at + 16, value.zWp, true);
  bytes[at + 24] = type;
  bytes[at + 25] = state;
  bytes.fill(0, at + 26, at + 64);
  return true;
}

// ---- virtio_net_hdr ----

/** Positions are numbers. */
const hashReports = "NONE IPv4 TCPv4 UDPv4 IPv6 TCPv6 UDPv6 IPv6_EX TCPv6_EX UDPv6_EX".split(" ") as NetHashReport[];

/** Where the header ends. */
function headerSize(features: FeatureSet): number {
  if (features.has(NetFeature.OUT_NET_HEADER) || features.has(NetFeature.IPSEC)) return 32;
  if (features.has(NetFeature.HOST_UDP_TUNNEL_GSO) || features.has(NetFeature.GUEST_UDP_TUNNEL_GSO)) return 24;
  return features.has(NetFeature.HASH_REPORT) ? 20 : 12;
}

export function readHeader(view: DataView, at: number, features: FeatureSet): NetHdr | undefined {
  if (at + headerSize(features) > view.byteLength) return undefined;
  const hash = features.has(NetFeature.HASH_REPORT);
  const tunnel = features.has(NetFeature.HOST_UDP_TUNNEL_GSO) || features.has(NetFeature.GUEST_UDP_TUNNEL_GSO);
  const outer = features.has(NetFeature.OUT_NET_HEADER);
  const report = hash ? view.getUint16(at + 16, true) : 0;
  return {
    flags: view.getUint8(at),
    gsoType: view.getUint8(at + 1),
    hdrLen: view.getUint16(at + 2, true),
    gsoSize: view.getUint16(at + 4, true),
    csumStart: view.getUint16(at + 6, true),
    csumOffset: view.getUint16(at + 8, true),
    numBuffers: view.getUint16(at + 10, true),
    hashValue: hash ? view.getUint32(at + 12, true) : undefined,
    hashReport: hash ? (hashReports[report] ?? report) : undefined,
    outerThOffset: tunnel ? view.getUint16(at + 20, true) : undefined,
    innerNhOffset: tunnel ? view.getUint16(at + 22, true) : undefined,
    outerNhOffset: outer ? view.getUint16(at + 24, true) : undefined,
    ipsecResourceHdr:
      outer || features.has(NetFeature.IPSEC)
        ? { resourceId: view.getUint32(at + 26, true), resourceType: view.getUint16(at + 30, true) }
        : undefined,
  };
}

/** Without the fields of tunnels and of IPsec: the benchmark does not negotiate them. */
export function writeHeader(view: DataView, at: number, value: NetHdr, features: FeatureSet): boolean {
  const size = headerSize(features);
  if (at + size > view.byteLength || size > 20) return false;
  if ((value.flags & 0xff) !== value.flags || (value.gsoType & 0xff) !== value.gsoType) return false;
  if (!isU16(value.hdrLen) || !isU16(value.gsoSize) || !isU16(value.csumStart)) return false;
  if (!isU16(value.csumOffset) || !isU16(value.numBuffers)) return false;
  view.setUint8(at, value.flags);
  view.setUint8(at + 1, value.gsoType);
  view.setUint16(at + 2, value.hdrLen, true);
  view.setUint16(at + 4, value.gsoSize, true);
  view.setUint16(at + 6, value.csumStart, true);
  view.setUint16(at + 8, value.csumOffset, true);
  view.setUint16(at + 10, value.numBuffers, true);
  if (size === 12) return true;
  const { hashValue = 0, hashReport = 0 } = value;
  const report = typeof hashReport === "number" ? hashReport : hashReports.indexOf(hashReport);
  if (!isU32(hashValue) || !isU16(report)) return false;
  view.setUint32(at + 12, hashValue, true);
  view.setUint16(at + 16, report, true);
  view.setUint16(at + 18, 0, true);
  return true;
}
