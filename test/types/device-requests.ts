// Requests as a device meets them: the tags say which fields there are and what an answer is made of.
import { BlkDevice, type BlkInRequest, type BlkLifetime, type BlkRequest } from "virtio-gen/devices/blk";
import { EntropyDevice } from "virtio-gen/devices/entropy";
import type { Completion, ReadableBytes, WritableBytes } from "virtio-gen/runtime";
import { type Same, holds } from "./same.js";

declare function fill(target: WritableBytes): void;
declare const lifetime: BlkLifetime;
const config = { capacity: 8n };
const disk = new Uint8Array(4096);

/** Everything in here compiles, and the type decides the direction of `data`. */
export function served(request: BlkRequest): Completion {
  switch (request.type) {
    case "IN":
      holds<Same<typeof request.data, WritableBytes>>();
      request.data.write(disk, request.sectorNumber * 512);
      return request.complete("OK");
    case "OUT":
      holds<Same<typeof request.data, ReadableBytes>>();
      request.data.read(disk, request.sectorNumber * 512);
      return request.complete("IOERR");
    case "GET_ID":
      return request.complete({ id: "a disk", status: "OK" });
    case "GET_LIFETIME":
      return request.complete({ lifetime, status: "OK" });
    case "ZONE_APPEND":
      holds<Same<typeof request.data, ReadableBytes>>();
      return request.complete({ appendSector: request.sector, status: "OK" });
    case "ZONE_REPORT":
      return request.complete("ZONE_INVALID_CMD");
    case "DISCARD":
    case "WRITE_ZEROES":
      for (const segment of request.segments) holds<Same<typeof segment.flags.unmap, boolean>>();
      return request.complete("OK");
    case "FLUSH":
      return request.complete("OK");
    default:
      return request.complete("UNSUPP");
  }
}

export function wrongDirection(request: BlkRequest) {
  switch (request.type) {
    case "OUT":
    case "ZONE_APPEND":
      // @ts-expect-error TS2339: Property 'write' does not exist on type 'ReadableBytes'
      request.data.write(disk, 0);
      // @ts-expect-error TS2345: Argument of type 'ReadableBytes' is not assignable to parameter of type 'WritableBytes'
      fill(request.data);
      return;
    default:
      return;
  }
}

export function fieldOfAnotherVariant(request: BlkRequest) {
  // @ts-expect-error TS2339: Property 'data' does not exist on type 'BlkRequest'
  void request.data;
  switch (request.type) {
    case "FLUSH":
      // @ts-expect-error TS2339: Property 'data' does not exist on type 'BlkFlushRequest'
      return request.data;
    case "IN":
      // @ts-expect-error TS2339: Property 'segments' does not exist on type 'BlkInRequest'
      return request.segments;
    case "DISCARD":
      // @ts-expect-error TS2339: Property 'data' does not exist on type 'BlkDiscardWriteZeroesRequest'
      return request.data;
    // @ts-expect-error TS2678: Type '"READ"' is not comparable to type
    case "READ":
      return undefined;
    // Legacy types are not among the requests that a device has to serve.
    // @ts-expect-error TS2678: Type '"SCSI_CMD"' is not comparable to type
    case "SCSI_CMD":
      return undefined;
    default:
      return undefined;
  }
}

export function readOnly(request: BlkRequest) {
  // @ts-expect-error TS2540: Cannot assign to 'sector' because it is a read-only property
  request.sector = 0n;
  // @ts-expect-error TS2540: Cannot assign to 'type' because it is a read-only property
  request.type = "IN";
}

export function wrongAnswer(request: BlkRequest) {
  switch (request.type) {
    case "IN":
      // @ts-expect-error TS2345: Argument of type '"DONE"' is not assignable to parameter of type
      request.complete("DONE");
      // @ts-expect-error TS2554: Expected 1 arguments, but got 0
      request.complete();
      // @ts-expect-error TS2345: Argument of type '0' is not assignable to parameter of type
      request.complete(0);
      // @ts-expect-error TS2345: is not assignable to parameter of type
      request.complete({ status: "OK" });
      // @ts-expect-error TS2554: Expected 1 arguments, but got 2
      request.complete("OK", disk);
      return;
    case "GET_ID":
      // An answer that says OK says the rest as well.
      // @ts-expect-error TS2345: Argument of type '"OK"' is not assignable to parameter of type
      request.complete("OK");
      // @ts-expect-error TS2345: Property 'id' is missing in type
      request.complete({ status: "OK" });
      // @ts-expect-error TS2345: Property 'status' is missing in type
      request.complete({ id: "a disk" });
      // @ts-expect-error TS2322: Type '"OKAY"' is not assignable to type
      request.complete({ id: "a disk", status: "OKAY" });
      // @ts-expect-error TS2322: Type 'Uint8Array<ArrayBuffer>' is not assignable to type 'string'
      request.complete({ id: disk, status: "OK" });
      // @ts-expect-error TS2353: 'serial' does not exist in type 'BlkGetIdAnswer'
      request.complete({ id: "a disk", serial: "1", status: "OK" });
      return;
    default:
      return;
  }
}

export function answerOfAnotherVariant(request: BlkRequest) {
  switch (request.type) {
    case "GET_ID":
      // @ts-expect-error TS2353: 'lifetime' does not exist in type 'BlkGetIdAnswer'
      request.complete({ lifetime, status: "OK" });
      return;
    case "GET_LIFETIME":
      // @ts-expect-error TS2353: 'id' does not exist in type 'BlkGetLifetimeAnswer'
      request.complete({ id: "a disk", status: "OK" });
      return;
    case "ZONE_APPEND":
      // @ts-expect-error TS2353: 'report' does not exist in type 'BlkZoneAppendAnswer'
      request.complete({ report: { nrZones: 0n, zones: [] }, status: "OK" });
      return;
    case "FLUSH":
      // @ts-expect-error TS2345: is not assignable to parameter of type
      request.complete({ appendSector: 0n, status: "OK" });
      return;
    default:
      return;
  }
}

export function handlers() {
  new BlkDevice({ config, requestq: served });
  new BlkDevice({ config, requestq: async (request) => request.complete("UNSUPP") });
  new EntropyDevice({
    requestq(request) {
      holds<Same<typeof request.data, WritableBytes>>();
      return request.complete();
    },
  });
  // @ts-expect-error TS2345: Property 'requestq' is missing in type
  new BlkDevice({ config });
  // @ts-expect-error TS2345: Property 'requestq' is missing in type
  new EntropyDevice({});
  // @ts-expect-error TS2353: 'controlq' does not exist in type 'BlkDeviceOptions'
  new BlkDevice({ config, requestq: served, controlq: served });
  // @ts-expect-error TS2322: Type '"OK"' is not assignable to type
  new BlkDevice({ config, requestq: () => "OK" });
  new EntropyDevice({
    // @ts-expect-error TS2554: Expected 0 arguments, but got 1
    requestq: (request) => request.complete(disk),
  });
}

/** A handler takes every request, not only those that it knows. */
export function partialHandler(onlyReads: (request: BlkInRequest) => Completion) {
  // @ts-expect-error TS2322: is not assignable to type 'BlkInRequest'
  new BlkDevice({ config, requestq: onlyReads });
}
