// Requests as a driver submits them, and what it gets for them.
import type { BlkDriver, BlkLifetime, BlkStatus, BlkZoneReport } from "virtio-gen/devices/blk";
import type { EntropyDriver } from "virtio-gen/devices/entropy";
import { type Same, holds } from "./same.js";

const bytes = new Uint8Array(512);
const segments = [{ sector: 0n, numSectors: 8, flags: { unmap: false } }];

export async function submitted({ requestq, requestqs }: BlkDriver, random: EntropyDriver) {
  const read = await requestq.submit({ type: "IN", sector: 0n, data: 512 });
  holds<Same<typeof read.data, Uint8Array>>();
  holds<Same<typeof read.status, BlkStatus | number>>();
  const written = await requestq.submit({ type: "OUT", sector: 0n, data: bytes });
  holds<Same<keyof typeof written, "status">>();
  const identified = await requestq.submit({ type: "GET_ID", sector: 0n });
  holds<Same<typeof identified.id, string>>();
  const worn = await requestq.submit({ type: "GET_LIFETIME", sector: 0n });
  holds<Same<typeof worn.lifetime, BlkLifetime>>();
  const appended = await requestq.submit({ type: "ZONE_APPEND", sector: 0n, data: bytes });
  holds<Same<typeof appended.appendSector, bigint>>();
  const zones = await requestq.submit({ type: "ZONE_REPORT", sector: 0n, report: 4096 });
  holds<Same<typeof zones.report, BlkZoneReport>>();
  const erased = await requestq.submit({ type: "WRITE_ZEROES", sector: 0n, segments });
  holds<Same<keyof typeof erased, "status">>();
  await requestq.submit({ type: "DISCARD", sector: 0n, segments });
  await requestqs[1]?.submit({ type: "FLUSH", sector: 0n });
  const { data } = await random.requestq.submit({ data: 16 });
  holds<Same<typeof data, Uint8Array>>();
}

export async function replyOfAnotherVariant({ requestq, requestqs }: BlkDriver) {
  const written = await requestq.submit({ type: "OUT", sector: 0n, data: bytes });
  // @ts-expect-error TS2339: Property 'data' does not exist on type 'BlkStatusReply'
  void written.data;
  const identified = await requestq.submit({ type: "GET_ID", sector: 0n });
  // @ts-expect-error TS2339: Property 'lifetime' does not exist on type 'BlkGetIdReply'
  void identified.lifetime;
  const either = await requestq.submit({ type: "FLUSH", sector: 0n });
  // @ts-expect-error TS2367: This comparison appears to be unintentional
  if (either.status === "DONE") return;
  // @ts-expect-error TS2532: Object is possibly 'undefined'
  await requestqs[1].submit({ type: "FLUSH", sector: 0n });
}

export function wrongShape({ requestq }: BlkDriver, random: EntropyDriver) {
  // @ts-expect-error TS2322: Type '"READ"' is not assignable to type
  void requestq.submit({ type: "READ", sector: 0n, data: 512 });
  // @ts-expect-error TS2345: Property 'data' is missing in type
  void requestq.submit({ type: "IN", sector: 0n });
  // @ts-expect-error TS2345: Property 'sector' is missing in type
  void requestq.submit({ type: "FLUSH" });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type 'bigint'
  void requestq.submit({ type: "FLUSH", sector: 0 });
  // The reply's size for what is read, the bytes for what is written.
  // @ts-expect-error TS2322: is not assignable to type 'number'
  void requestq.submit({ type: "IN", sector: 0n, data: bytes });
  // @ts-expect-error TS2322: Type 'number' is not assignable to type 'Uint8Array
  void requestq.submit({ type: "OUT", sector: 0n, data: 512 });
  // @ts-expect-error TS2345: Property 'segments' is missing in type
  void requestq.submit({ type: "WRITE_ZEROES", sector: 0n });
  // @ts-expect-error TS2741: Property 'flags' is missing in type
  void requestq.submit({ type: "WRITE_ZEROES", sector: 0n, segments: [{ sector: 0n, numSectors: 8 }] });
  // @ts-expect-error TS2322: Type 'Uint8Array<ArrayBuffer>' is not assignable to type 'number'
  void random.requestq.submit({ data: bytes });
}

export function fieldOfAnotherVariant({ requestq }: BlkDriver) {
  // @ts-expect-error TS2353: 'data' does not exist in type
  void requestq.submit({ type: "FLUSH", sector: 0n, data: bytes });
  // @ts-expect-error TS2353: 'segments' does not exist in type
  void requestq.submit({ type: "OUT", sector: 0n, data: bytes, segments });
  // What only the device may write.
  // @ts-expect-error TS2353: 'status' does not exist in type
  void requestq.submit({ type: "FLUSH", sector: 0n, status: "OK" });
}

/** Legacy requests cannot be sent. */
export function legacy({ requestq }: BlkDriver) {
  // @ts-expect-error TS2322: Type '"SCSI_CMD"' is not assignable to type
  void requestq.submit({ type: "SCSI_CMD", sector: 0n });
  // @ts-expect-error TS2322: Type '"FLUSH_OUT"' is not assignable to type
  void requestq.submit({ type: "FLUSH_OUT", sector: 0n });
}
