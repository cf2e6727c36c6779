import { GuestMemory, type VirtioDevice } from "virtio-gen/runtime";
import { afterSlice, afterTranslation, beforeSlice, type V86Machine } from "./v86-machine.js";

/** What v86 translates and forgets at a time. */
const PAGE_BYTES = 4096;

/**
 * The guest's memory for devices in v86. All of it moves when v86's translator needs more: a WebAssembly.Memory that grows gets
 * a new buffer, and the devices are told. v86 keeps translations of code, and is told what devices write.
 */
export class V86Memory {
  readonly guest: GuestMemory;
  readonly #machine: V86Machine;
  readonly #devices: VirtioDevice[] = [];
  /** Numbers of pages that devices have written since the last slice of the guest's time. */
  readonly #written = new Set<number>();
  #buffer: ArrayBufferLike;

  /** To be made when the emulator has been loaded and before it runs. */
  constructor(machine: V86Machine) {
    this.#machine = machine;
    this.#buffer = machine.mem8.buffer;
    this.guest = new GuestMemory([this.#all()], { oneThread: true });
    // Handlers that wait for something may go on whenever v86 does not run, and find memory where it is then.
    afterSlice(machine, () => {
      this.find();
      return false;
    });
    afterTranslation(machine, () => this.find());
    beforeSlice(machine, () => this.#forgetTranslations());
  }

  /** This device uses the memory, and has to know when it moves. */
  add(device: VirtioDevice): void {
    this.#devices.push(device);
  }

  /** To be called before every access of the guest to a device. */
  find(): void {
    const { buffer } = this.#machine.mem8;
    if (buffer === this.#buffer) return;
    this.#buffer = buffer;
    this.guest.replace([this.#all()]);
    for (const device of this.#devices) device.memoryMoved();
  }

  /** A device has written this; lengths are in bytes. v86 hears of it later, since that may move its memory. */
  readonly written = (address: number, length: number): void => {
    const last = Math.floor((address + length - 1) / PAGE_BYTES);
    for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) this.#written.add(page);
  };

  #forgetTranslations(): void {
    for (const page of this.#written) this.#machine.jit_dirty_cache(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    this.#written.clear();
  }

  #all(): { readonly start: number; readonly bytes: Uint8Array } {
    const { buffer, byteOffset, length } = this.#machine.mem8;
    return { start: 0, bytes: new Uint8Array(buffer, byteOffset, length) };
  }
}
