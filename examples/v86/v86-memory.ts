import { GuestMemory, type VirtioDevice } from "virtio-gen/runtime";
import { afterSlice, afterTranslation, type V86Machine } from "./v86-machine.js";

/**
 * The guest's memory for devices in v86. All of it moves when v86's translator needs more: a WebAssembly.Memory that grows gets
 * a new buffer, and the devices are told.
 */
export class V86Memory {
  readonly guest: GuestMemory;
  readonly #machine: V86Machine;
  readonly #devices: VirtioDevice[] = [];
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

  #all(): { readonly start: number; readonly bytes: Uint8Array } {
    const { buffer, byteOffset, length } = this.#machine.mem8;
    return { start: 0, bytes: new Uint8Array(buffer, byteOffset, length) };
  }
}
