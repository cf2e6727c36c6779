import { ScsiDevice, type ScsiCommand } from "../../../generated/scsi.js";
import type { CommonFeatureName, Completion } from "../../../src/runtime/index.js";

const BLOCK = 512;
/** Operation codes of SPC and SBC. */
const Op = {
  TEST_UNIT_READY: 0x00,
  INQUIRY: 0x12,
  MODE_SENSE_6: 0x1a,
  READ_CAPACITY_10: 0x25,
  READ_10: 0x28,
  WRITE_10: 0x2a,
  SYNCHRONIZE_CACHE_10: 0x35,
  READ_16: 0x88,
  WRITE_16: 0x8a,
  SERVICE_ACTION_IN_16: 0x9e,
  REPORT_LUNS: 0xa0,
} as const;
const READ_CAPACITY_16 = 0x10;
const GOOD = 0;
const CHECK_CONDITION = 2;
const ILLEGAL_REQUEST = 5;
/** Additional sense codes. */
const Sense = { INVALID_OPCODE: 0x20, OUT_OF_RANGE: 0x21, INVALID_FIELD: 0x24, NO_SUCH_UNIT: 0x25 } as const;
/** The target and the unit that are there. */
const TARGET = 1;
const UNIT = 3;
const SINGLE_LEVEL = 0x4000;

/** A SCSI host with one disk in memory, at target 1, logical unit 3. */
export class ScsiDisk {
  readonly device: ScsiDevice;
  readonly bytes: Buffer;
  /** How often each operation was asked for. */
  readonly counts = new Map<number, number>();
  /** Called before blocks are read or written, from `block` on: it may throw, or give a promise that rejects. */
  beforeTransfer: ((block: number) => Promise<never> | undefined) | undefined = undefined;

  /** @param features Common features to offer besides those that are always offered. */
  constructor(size: number, queues: number, features: readonly CommonFeatureName[] = []) {
    this.bytes = Buffer.alloc(size);
    this.device = new ScsiDevice({
      // QEMU takes them for granted.
      features: ["HOTPLUG", "CHANGE", ...features],
      config: {
        numQueues: queues,
        segMax: 126,
        maxSectors: 0xffff,
        cmdPerLun: 128,
        eventInfoSize: 16,
        maxChannel: 0,
        maxTarget: 255,
        maxLun: 16383,
      },
      controlq(request) {
        switch (request.type) {
          case "TMF":
            return request.complete("FUNCTION_REJECTED");
          case "AN_QUERY":
          case "AN_SUBSCRIBE":
            return request.complete({ eventActual: 0, response: "OK" });
          default:
            return request.complete();
        }
      },
      requestQueue: (request) => this.#disturbed(request) ?? this.#serve(request),
    });
  }

  count(operation: keyof typeof Op): number {
    return this.counts.get(Op[operation]) ?? 0;
  }

  #disturbed({ cdb }: ScsiCommand): Promise<never> | undefined {
    const operation = cdb.byteAt(0);
    const isShort = operation === Op.READ_10 || operation === Op.WRITE_10;
    if (!isShort && operation !== Op.READ_16 && operation !== Op.WRITE_16) return undefined;
    const bytes = Buffer.from(cdb.toUint8Array());
    return this.beforeTransfer?.(isShort ? bytes.readUInt32BE(2) : Number(bytes.readBigUInt64BE(2)));
  }

  #serve(request: ScsiCommand): Completion {
    const { cdb, lun } = request;
    const operation = cdb.byteAt(0);
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    if (lun.target !== TARGET) return request.complete({ ...nothing(request), response: "BAD_TARGET" });
    if (operation === Op.REPORT_LUNS) return give(request, reportedUnits());
    const isThere = lun.unit === SINGLE_LEVEL + UNIT || lun.unit === UNIT;
    if (operation === Op.INQUIRY) return this.#inquiry(request, isThere);
    if (!isThere) return refuse(request, Sense.NO_SUCH_UNIT);
    switch (operation) {
      case Op.TEST_UNIT_READY:
      case Op.SYNCHRONIZE_CACHE_10:
        return give(request, Buffer.alloc(0));
      case Op.MODE_SENSE_6:
        return give(request, Buffer.from([3, 0, 0, 0]));
      case Op.READ_CAPACITY_10: {
        const answer = Buffer.alloc(8);
        answer.writeUInt32BE(this.bytes.length / BLOCK - 1, 0);
        answer.writeUInt32BE(BLOCK, 4);
        return give(request, answer);
      }
      case Op.SERVICE_ACTION_IN_16: {
        if ((cdb.byteAt(1) & 0x1f) !== READ_CAPACITY_16) return refuse(request, Sense.INVALID_FIELD);
        const answer = Buffer.alloc(32);
        answer.writeBigUInt64BE(BigInt(this.bytes.length / BLOCK - 1), 0);
        answer.writeUInt32BE(BLOCK, 8);
        return give(request, answer);
      }
      case Op.READ_10:
      case Op.READ_16: {
        const range = this.#range(cdb.toUint8Array(), operation === Op.READ_10);
        return range === undefined ? refuse(request, Sense.OUT_OF_RANGE) : give(request, range);
      }
      case Op.WRITE_10:
      case Op.WRITE_16: {
        const range = this.#range(cdb.toUint8Array(), operation === Op.WRITE_10);
        if (range?.length !== request.dataout.length) return refuse(request, Sense.OUT_OF_RANGE);
        request.dataout.read(range);
        return give(request, Buffer.alloc(0));
      }
      default:
        return refuse(request, Sense.INVALID_OPCODE);
    }
  }

  #inquiry(request: ScsiCommand, isThere: boolean): Completion {
    const isPage = (request.cdb.byteAt(1) & 1) !== 0;
    if (!isPage) {
      // A direct-access device of SPC-3; where there is no unit, 0x7f says so.
      const head = [isThere ? 0 : 0x7f, 0, 5, 2, 31, 0, 0, 2];
      return give(request, Buffer.concat([Buffer.from(head), Buffer.from("MADE BY A TEST          1.0 ")]));
    }
    if (!isThere) return refuse(request, Sense.NO_SUCH_UNIT);
    switch (request.cdb.byteAt(2)) {
      case 0x00:
        return give(request, Buffer.from([0, 0, 0, 2, 0x00, 0x80]));
      case 0x80:
        return give(request, Buffer.concat([Buffer.from([0, 0x80, 0, 8]), Buffer.from("SERIAL-7")]));
      default:
        return refuse(request, Sense.INVALID_FIELD);
    }
  }

  /** The bytes that a READ or WRITE is about, or undefined if they are not all there. */
  #range(cdb: Uint8Array, isShort: boolean): Buffer | undefined {
    const view = Buffer.from(cdb);
    const start = BLOCK * (isShort ? view.readUInt32BE(2) : Number(view.readBigUInt64BE(2)));
    const length = BLOCK * (isShort ? view.readUInt16BE(7) : view.readUInt32BE(10));
    return start + length <= this.bytes.length ? this.bytes.subarray(start, start + length) : undefined;
  }
}

function nothing(request: ScsiCommand) {
  const residual = request.datain.length + request.dataout.length;
  return { senseLen: 0, residual, statusQualifier: 0, status: GOOD } as const;
}

/** What was asked for, or as much of it as fits. */
function give(request: ScsiCommand, answer: Uint8Array): Completion {
  const part = answer.subarray(0, request.datain.length);
  request.datain.write(part);
  return request.complete({ ...nothing(request), residual: request.datain.length - part.length, response: "OK" });
}

function refuse(request: ScsiCommand, code: number): Completion {
  const sense = Buffer.alloc(18);
  sense[0] = 0x70;
  sense[2] = ILLEGAL_REQUEST;
  sense[7] = 10;
  sense[12] = code;
  request.sense.write(sense);
  return request.complete({ ...nothing(request), senseLen: 18, status: CHECK_CONDITION, response: "OK" });
}

function reportedUnits(): Buffer {
  const list = Buffer.alloc(16);
  list.writeUInt32BE(8, 0);
  list.writeUInt16BE(UNIT, 8);
  return list;
}
