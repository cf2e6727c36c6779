import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import type { QueueAddresses } from "../../../src/runtime/ring/index.js";

/** The memory of a guest that runs, read from outside, through QEMU's open file of it. Guest addresses below 2 GiB. */
export class GuestMemoryFile {
  readonly #fd: number;

  /** @param processId QEMU's */
  constructor(processId: number) {
    const folder = `/proc/${processId}/fd`;
    const memory = readdirSync(folder).find((fd) => readlinkSync(`${folder}/${fd}`).includes("memory-backend-memfd"));
    if (memory === undefined) throw new Error("QEMU has no shared memory");
    this.#fd = openSync(`${folder}/${memory}`, "r");
  }

  /** The indexes of a split ring: buffers that the driver made available, and buffers that the device used; modulo 2^16. */
  indexes({ driver, device }: QueueAddresses): { available: number; used: number } {
    return { available: this.#u16(driver + 2), used: this.#u16(device + 2) };
  }

  close(): void {
    closeSync(this.#fd);
  }

  #u16(address: number): number {
    const bytes = Buffer.alloc(2);
    if (readSync(this.#fd, bytes, 0, 2, address) !== 2) throw new Error(`there is no memory at ${address}`);
    return bytes.readUInt16LE();
  }
}
