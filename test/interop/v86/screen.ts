import {
  GpuDevice,
  GpuEvents,
  GpuHdrFlags,
  type GpuControl,
  type GpuCtrlType,
  type GpuCursor,
  type GpuDisplayOne,
  type GpuRect,
} from "../../../generated/gpu.js";
import type { CommonFeatureName, Completion, GuestMemory } from "../../../src/runtime/index.js";
import { edidOf } from "./edid.js";

const BYTES_PER_PIXEL = 4;
const NO_PIXELS = new Uint8Array(0);
const SCANOUTS = 16;
const ABSENT: GpuDisplayOne = { r: { x: 0, y: 0, width: 0, height: 0 }, enabled: 0, flags: 0 };

interface Resource {
  readonly width: number;
  readonly height: number;
  /** As it is here. */
  readonly pixels: Uint8Array;
  /** Where it is in the guest, if that has been said. */
  backing: readonly { readonly address: number; readonly length: number }[] | undefined;
}

class Adapter extends GpuDevice {
  forget = (): void => undefined;
  protected override deviceReset(): void {
    this.forget();
  }
}

/** A graphics adapter with one display, whose pixels can be looked at. */
export class Screen {
  readonly device: Adapter;
  readonly resources = new Map<number, Resource>();
  /** The resource on the display, and what has been shown of it. */
  shown: Resource | undefined;
  /** Pixels of the display since the last flush. */
  pixels: Uint8Array = NO_PIXELS;
  readonly cursor = { pixels: NO_PIXELS, x: 0, y: 0, hotX: 0, hotY: 0, moves: 0 };
  /** The guest's memory, once there is a guest. */
  memory: GuestMemory | undefined;
  edid: Uint8Array = NO_PIXELS;
  #display = ABSENT;

  constructor(width: number, height: number, features: readonly CommonFeatureName[]) {
    this.#plug(width, height);
    this.device = new Adapter({
      features: ["EDID", ...features],
      config: { eventsRead: 0, numScanouts: 1, numCapsets: 0 },
      controlq: (request) => this.#control(request),
      cursorq: (request) => this.#point(request),
    });
    this.device.forget = () => {
      this.resources.clear();
      this.shown = undefined;
    };
  }

  /** As if the window with the display had another size now. */
  resize(width: number, height: number): void {
    this.#plug(width, height);
    this.device.config.eventsRead = GpuEvents.DISPLAY;
  }
  #plug(width: number, height: number): void {
    this.#display = { r: { x: 0, y: 0, width, height }, enabled: 1, flags: 0 };
    this.edid = edidOf(width, height);
  }

  #control(request: GpuControl): Completion {
    const { flags, fenceId, ctxId, ringIdx } = request;
    const hdr = (flags & GpuHdrFlags.FENCE) === 0 ? {} : { flags: GpuHdrFlags.FENCE, fenceId, ctxId, ringIdx };
    switch (request.type) {
      case "CMD_GET_DISPLAY_INFO": {
        const pmodes = Array.from({ length: SCANOUTS }, (_, scanout) => (scanout === 0 ? this.#display : ABSENT));
        return request.complete({ ...hdr, type: "RESP_OK_DISPLAY_INFO", pmodes });
      }
      case "CMD_GET_EDID": {
        if (request.scanout !== 0) return request.complete({ ...hdr, type: "RESP_ERR_INVALID_SCANOUT_ID" });
        const edid = new Uint8Array(1024);
        edid.set(this.edid);
        return request.complete({ ...hdr, type: "RESP_OK_EDID", size: this.edid.length, edid });
      }
      case "CMD_RESOURCE_CREATE_2D":
      case "CMD_RESOURCE_UNREF":
      case "CMD_SET_SCANOUT":
      case "CMD_RESOURCE_FLUSH":
      case "CMD_TRANSFER_TO_HOST_2D":
      case "CMD_RESOURCE_ATTACH_BACKING":
      case "CMD_RESOURCE_DETACH_BACKING":
        return request.complete({ ...hdr, type: this.#withResource(request) });
      default:
        return request.complete("RESP_ERR_UNSPEC");
    }
  }

  #withResource(request: Extract<GpuControl, { readonly resourceId: number }>): GpuCtrlType {
    const { resourceId } = request;
    const resource = this.resources.get(resourceId);
    if (request.type === "CMD_RESOURCE_CREATE_2D") {
      const { width, height } = request;
      if (resourceId === 0 || resource !== undefined) return "RESP_ERR_INVALID_RESOURCE_ID";
      const pixels = new Uint8Array(BYTES_PER_PIXEL * width * height);
      this.resources.set(resourceId, { width, height, pixels, backing: undefined });
      return "RESP_OK_NODATA";
    }
    if (request.type === "CMD_SET_SCANOUT" && resourceId === 0) {
      this.shown = undefined;
      return "RESP_OK_NODATA";
    }
    if (resource === undefined) return "RESP_ERR_INVALID_RESOURCE_ID";
    switch (request.type) {
      case "CMD_RESOURCE_UNREF":
        this.resources.delete(resourceId);
        if (this.shown === resource) this.shown = undefined;
        return "RESP_OK_NODATA";
      case "CMD_SET_SCANOUT":
        this.shown = resource;
        return "RESP_OK_NODATA";
      case "CMD_RESOURCE_FLUSH":
        if (this.shown === resource) this.pixels = resource.pixels.slice();
        return "RESP_OK_NODATA";
      case "CMD_RESOURCE_ATTACH_BACKING":
        resource.backing = request.entries.map(({ addr, length }) => ({ address: Number(addr), length }));
        return "RESP_OK_NODATA";
      case "CMD_RESOURCE_DETACH_BACKING":
        resource.backing = undefined;
        return "RESP_OK_NODATA";
      case "CMD_TRANSFER_TO_HOST_2D":
        return this.#transfer(resource, request.r, request.offsetNumber)
          ? "RESP_OK_NODATA"
          : "RESP_ERR_INVALID_PARAMETER";
      default:
        return "RESP_ERR_UNSPEC";
    }
  }

  /** Copies a rectangle, whose first pixel is at `offset` in the guest's pieces of memory. */
  #transfer({ width, height, pixels, backing }: Resource, rect: GpuRect, offset: number): boolean {
    if (backing === undefined || rect.x + rect.width > width || rect.y + rect.height > height) return false;
    for (let row = 0; row < rect.height; row++) {
      const target = BYTES_PER_PIXEL * ((rect.y + row) * width + rect.x);
      let from = offset + BYTES_PER_PIXEL * width * row;
      let done = 0;
      const length = BYTES_PER_PIXEL * rect.width;
      for (const piece of backing) {
        if (from < piece.length && done < length) {
          const part = Math.min(length - done, piece.length - from);
          const place = this.memory?.place(piece.address + from, part);
          if (place === undefined) return false;
          pixels.set(place.region.bytes.subarray(place.offset, place.offset + part), target + done);
          done += part;
          from += part;
        }
        from -= piece.length;
      }
      if (done < length) return false;
    }
    return true;
  }

  #point(request: GpuCursor): Completion {
    const { hdr, pos, resourceId, hotX, hotY } = request;
    if (hdr.type === "CMD_UPDATE_CURSOR") {
      Object.assign(this.cursor, { hotX, hotY, pixels: this.resources.get(resourceId)?.pixels.slice() ?? NO_PIXELS });
    } else this.cursor.moves++;
    Object.assign(this.cursor, { x: pos.x, y: pos.y });
    if (request.writable.length === 0) return request.complete({});
    const { flags, fenceId, ctxId, ringIdx } = hdr;
    return request.complete({
      hdr: { type: "RESP_OK_NODATA", flags: flags & GpuHdrFlags.FENCE, fenceId, ctxId, ringIdx },
    });
  }
}
