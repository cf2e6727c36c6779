import type { V86Machine } from "../../examples/v86/v86-machine.js";

const PAGE = 64 << 10;

/** The parts of v86 that examples/v86 uses, without a processor. */
export class FakeV86 implements V86Machine {
  readonly io = { ports: [], mmap_register: (): void => undefined };
  readonly option_roms = [];
  /** What happened to interrupt lines, and when a slice was run. */
  readonly log: string[] = [];
  /** What v86's code does in a slice, when a translation is ready, and when a line is raised. */
  inSlice = (): void => undefined;
  inTranslation = (): void => undefined;
  inInterrupt = (): void => undefined;
  #buffer = new ArrayBuffer(2 * PAGE);

  get mem8(): Uint8Array {
    return new Uint8Array(this.#buffer, PAGE, PAGE);
  }
  /** As a WebAssembly.Memory does it: the bytes have a new buffer, and the old one has none. */
  readonly grow = (): void => {
    this.#buffer = structuredClone(this.#buffer, { transfer: [this.#buffer] });
  };

  main_loop = (): number => {
    this.log.push("slice");
    this.inSlice();
    return 7;
  };
  jit_dirty_cache(start: number, end: number): void {
    this.log.push(`${start} to ${end} are other bytes`);
  }
  codegen_finalize_finished = (): void => this.inTranslation();
  device_raise_irq(irq: number): void {
    this.log.push(`${irq} up`);
    this.inInterrupt();
  }
  device_lower_irq(irq: number): void {
    this.log.push(`${irq} down`);
  }
}
