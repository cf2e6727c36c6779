import { cryptoSessionLayout, type CryptoSessionMessage } from "./crypto-session.js";
import { VhostUserError } from "./fault.js";
import type { PayloadKind } from "./requests.js";

/** A ring and a number: its size, a position, or whether it is enabled. */
export interface VringState {
  readonly index: number;
  readonly num: number;
}

/** Where a ring is, in the front end's addresses (`user`). */
export interface VringAddress {
  readonly index: number;
  /** Bit 0: writes to the used ring are logged. */
  readonly flags: number;
  readonly descriptor: number;
  readonly used: number;
  readonly available: number;
  /** Guest address under which writes to the used ring are logged; undefined if it is beyond 2^53. */
  readonly log: number | undefined;
}
/** VHOST_VRING_F_LOG */
export const VRING_LOG = 1;

/** Guest memory that the front end shares. In bytes. */
export interface SharedRegion {
  readonly guestAddress: number;
  readonly size: number;
  /** Where it is in the front end's own address space. */
  readonly userAddress: number;
  /** Where it starts in the file. */
  readonly fileOffset: number;
}

/** Where the dirty log is in its file. In bytes. */
export interface LogArea {
  readonly size: number;
  readonly offset: number;
}

/** An access to the configuration. Of a request to read, the bytes mean nothing but how many are wanted. */
export interface ConfigAccess {
  readonly offset: number;
  /** 0: a write by the driver; 1: for live migration, when read-only fields are written, too. */
  readonly flags: number;
  readonly bytes: Uint8Array;
}
export const CONFIG_MIGRATION = 1;

/** The inflight region: for `queues` rings of `queueSize` entries. */
export interface InflightArea {
  readonly size: number;
  readonly offset: number;
  readonly queues: number;
  readonly queueSize: number;
}

/** What a message about the IOTLB says. */
export const IotlbType = { MISS: 1, UPDATE: 2, INVALIDATE: 3, ACCESS_FAIL: 4 } as const;

/** A translation: told, asked for, or taken back. */
export interface IotlbMessage {
  /** I/O virtual address. */
  readonly iova: bigint;
  /** In bytes. */
  readonly size: bigint;
  /** In the front end's own address space. */
  readonly userAddress: bigint;
  /** Bit 0: reading; bit 1: writing. */
  readonly permission: number;
  /** One of {@link IotlbType}. */
  readonly type: number;
}

/** What each layout means. */
export interface Payloads {
  readonly none: undefined;
  readonly u64: bigint;
  readonly vringState: VringState;
  readonly vringAddress: VringAddress;
  readonly memoryTable: readonly SharedRegion[];
  readonly memoryRegion: SharedRegion;
  readonly log: LogArea;
  readonly config: ConfigAccess;
  readonly inflight: InflightArea;
  readonly cryptoSession: CryptoSessionMessage;
  readonly iotlb: IotlbMessage;
}

/** Most regions in one memory table. */
export const mostTableRegions = 8;
/** Longest payload of any message; what goes beyond is not read. */
export const mostPayloadBytes = 4096;
/** Longest part of a configuration in one message. */
export const mostConfigBytes = mostPayloadBytes - 12;

interface Layout<T> {
  encode(value: T): Uint8Array;
  /** @throws VhostUserError when the bytes cannot be this. */
  decode(bytes: Uint8Array): T;
}

function fixed<T>(size: number, write: (view: DataView, value: T) => void, read: (view: DataView) => T): Layout<T> {
  return {
    encode: (value) => {
      const bytes = new Uint8Array(size);
      write(viewOf(bytes), value);
      return bytes;
    },
    decode: (bytes) => {
      if (bytes.length !== size) throw new VhostUserError("payload-size", `${bytes.length} bytes, not ${size}`);
      return read(viewOf(bytes));
    },
  };
}

const regionBytes = 32;
const configHeaderBytes = 12;

/** All layouts. Numbers are little-endian, as every machine is that this runs on. */
export const layouts: { readonly [Kind in PayloadKind]: Layout<Payloads[Kind]> } = {
  none: fixed(
    0,
    () => undefined,
    () => undefined,
  ),
  u64: fixed(
    8,
    (view, value) => view.setBigUint64(0, value, true),
    (view) => view.getBigUint64(0, true),
  ),
  vringState: fixed(
    8,
    (view, { index, num }) => {
      view.setUint32(0, index, true);
      view.setUint32(4, num, true);
    },
    (view) => ({ index: view.getUint32(0, true), num: view.getUint32(4, true) }),
  ),
  vringAddress: fixed(
    40,
    (view, { index, flags, descriptor, used, available, log }) => {
      view.setUint32(0, index, true);
      view.setUint32(4, flags, true);
      writeNumber(view, 8, descriptor);
      writeNumber(view, 16, used);
      writeNumber(view, 24, available);
      writeNumber(view, 32, log ?? 0);
    },
    (view) => ({
      index: view.getUint32(0, true),
      flags: view.getUint32(4, true),
      descriptor: readNumber(view, 8),
      used: readNumber(view, 16),
      available: readNumber(view, 24),
      // Without logging it may be anything.
      log: safe(view, 32),
    }),
  ),
  memoryTable: {
    encode: (regions) => {
      const bytes = new Uint8Array(8 + regionBytes * regions.length);
      const view = viewOf(bytes);
      view.setUint32(0, regions.length, true);
      regions.forEach((region, index) => writeRegion(view, 8 + regionBytes * index, region));
      return bytes;
    },
    decode: (bytes) => {
      if (bytes.length < 8) throw new VhostUserError("payload-size", `${bytes.length} bytes for a memory table`);
      const view = viewOf(bytes);
      const count = view.getUint32(0, true);
      if (count < 1 || count > mostTableRegions) {
        throw new VhostUserError("region-count", `${count}, not 1 to ${mostTableRegions}`);
      }
      // Some front ends send room for all eight.
      const needed = 8 + regionBytes * count;
      if (bytes.length < needed || bytes.length > 8 + regionBytes * mostTableRegions) {
        throw new VhostUserError("payload-size", `${bytes.length} bytes for ${count} regions`);
      }
      return Array.from({ length: count }, (_, index) => readRegion(view, 8 + regionBytes * index));
    },
  },
  memoryRegion: fixed(
    8 + regionBytes,
    (view, region) => writeRegion(view, 8, region),
    (view) => readRegion(view, 8),
  ),
  log: fixed(
    16,
    (view, { size, offset }) => {
      writeNumber(view, 0, size);
      writeNumber(view, 8, offset);
    },
    (view) => ({ size: readNumber(view, 0), offset: readNumber(view, 8) }),
  ),
  config: {
    encode: ({ offset, flags, bytes }) => {
      const encoded = new Uint8Array(configHeaderBytes + bytes.length);
      const view = viewOf(encoded);
      view.setUint32(0, offset, true);
      view.setUint32(4, bytes.length, true);
      view.setUint32(8, flags, true);
      encoded.set(bytes, configHeaderBytes);
      return encoded;
    },
    decode: (bytes) => {
      const length = bytes.length - configHeaderBytes;
      if (length < 0) throw new VhostUserError("payload-size", `${bytes.length} bytes for a part of the configuration`);
      const view = viewOf(bytes);
      const size = view.getUint32(4, true);
      if (size !== length) throw new VhostUserError("payload-size", `${length} bytes of configuration, not ${size}`);
      return { offset: view.getUint32(0, true), flags: view.getUint32(8, true), bytes: bytes.slice(configHeaderBytes) };
    },
  },
  inflight: {
    encode: ({ size, offset, queues, queueSize }) => {
      const bytes = new Uint8Array(24);
      const view = viewOf(bytes);
      writeNumber(view, 0, size);
      writeNumber(view, 8, offset);
      view.setUint16(16, queues, true);
      view.setUint16(18, queueSize, true);
      return bytes;
    },
    decode: (bytes) => {
      // 20 bytes, or 24 with the padding of a C structure.
      if (bytes.length !== 20 && bytes.length !== 24) {
        throw new VhostUserError("payload-size", `${bytes.length} bytes, not 20 or 24`);
      }
      const view = viewOf(bytes);
      return {
        size: readNumber(view, 0),
        offset: readNumber(view, 8),
        queues: view.getUint16(16, true),
        queueSize: view.getUint16(18, true),
      };
    },
  },
  cryptoSession: cryptoSessionLayout,
  iotlb: {
    encode: ({ iova, size, userAddress, permission, type }) => {
      const bytes = new Uint8Array(32);
      const view = viewOf(bytes);
      view.setBigUint64(0, iova, true);
      view.setBigUint64(8, size, true);
      view.setBigUint64(16, userAddress, true);
      view.setUint8(24, permission);
      view.setUint8(25, type);
      return bytes;
    },
    decode: (bytes) => {
      // 26 bytes, or 32 with the padding of a C structure.
      if (bytes.length !== 26 && bytes.length !== 32) {
        throw new VhostUserError("payload-size", `${bytes.length} bytes, not 26 or 32`);
      }
      const view = viewOf(bytes);
      return {
        iova: view.getBigUint64(0, true),
        size: view.getBigUint64(8, true),
        userAddress: view.getBigUint64(16, true),
        permission: view.getUint8(24),
        type: view.getUint8(25),
      };
    },
  },
};

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function writeRegion(view: DataView, at: number, region: SharedRegion): void {
  writeNumber(view, at, region.guestAddress);
  writeNumber(view, at + 8, region.size);
  writeNumber(view, at + 16, region.userAddress);
  writeNumber(view, at + 24, region.fileOffset);
}
function readRegion(view: DataView, at: number): SharedRegion {
  return {
    guestAddress: readNumber(view, at),
    size: readNumber(view, at + 8),
    userAddress: readNumber(view, at + 16),
    fileOffset: readNumber(view, at + 24),
  };
}

function writeNumber(view: DataView, at: number, value: number): void {
  view.setBigUint64(at, BigInt(value), true);
}
function readNumber(view: DataView, at: number): number {
  const value = safe(view, at);
  if (value === undefined) throw new VhostUserError("number-range", `0x${view.getBigUint64(at, true).toString(16)}`);
  return value;
}
function safe(view: DataView, at: number): number | undefined {
  const value = Number(view.getBigUint64(at, true));
  return Number.isSafeInteger(value) ? value : undefined;
}
