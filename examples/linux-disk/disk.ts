import { BlkDevice } from "virtio-gen/devices/blk";
import { serve } from "virtio-gen/runtime/vhost-user";

/** A disk of 16 MiB in this process's memory, served to QEMU on a socket. */
export async function serveDisk(socket: string, sectors = new Uint8Array(16 << 20)) {
  const disk = new BlkDevice({
    config: { capacity: BigInt(sectors.length / 512) },
    requestq(request) {
      if (request.type !== "IN" && request.type !== "OUT") return request.complete("UNSUPP");
      const at = request.sectorNumber * 512;
      if (at + request.data.length > sectors.length) return request.complete("IOERR");
      if (request.type === "IN") request.data.write(sectors, at);
      else request.data.read(sectors, at);
      return request.complete("OK");
    },
  });
  return await serve(disk, { socket });
}
