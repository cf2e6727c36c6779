type Reader = (this: unknown) => number;
type Writer = (this: unknown, value: number) => void;
/** What v86 does when its processor uses a port. */
interface Port {
  readonly read8: Reader;
  readonly read16: Reader;
  readonly read32: Reader;
  readonly write8: Writer;
  readonly write16: Writer;
  readonly write32: Writer;
  /** `this` of these functions. */
  readonly device: unknown;
}

/** A file that the firmware may ask for (fw_cfg). SeaBIOS hands on those below `acpi/` as ACPI tables. */
export interface FirmwareFile {
  readonly name: string;
  data: Uint8Array;
}

/** The parts of v86's machine that a device needs. Its published types leave them out. */
export interface V86Machine {
  /** The guest's memory from address 0 on; a view that is looked up anew whenever it is used. */
  readonly mem8: Pick<Uint8Array, "buffer" | "byteOffset" | "length">;
  readonly io: {
    /** All 65,536 of them. */
    readonly ports: Port[];
    /** Start and size are multiples of 128 KiB. Addresses and values of 32 bits are signed. */
    mmap_register(
      start: number,
      size: number,
      read8: (address: number) => number,
      write8: (address: number, value: number) => void,
      read32: (address: number) => number,
      write32: (address: number, value: number) => void,
    ): void;
  };
  /** Files for the firmware. */
  readonly option_roms: FirmwareFile[];
  /** Memory from `start` up to `end` has other contents: translations of what was there are of no use any more. */
  jit_dirty_cache(start: number, end: number): void;
  device_raise_irq(irq: number): void;
  device_lower_irq(irq: number): void;
  /** Runs the guest for a slice of time; returns the ms until the next one. */
  main_loop: () => number;
  /** Code that was translated is ready: it is called between two slices, when the browser or Node has compiled it. */
  codegen_finalize_finished: (...code: number[]) => void;
}

/** @throws Error when the emulator has not said `emulator-loaded` yet, or is a version that is built differently. */
export function machineOf(emulator: object): V86Machine {
  const cpu = property(property(emulator, "v86"), "cpu");
  if (!isMachine(cpu)) throw new Error("this v86 is not loaded yet, or is another version");
  return cpu;
}

const FUNCTIONS = [
  "jit_dirty_cache", "device_raise_irq", "device_lower_irq", "main_loop", "codegen_finalize_finished",
]; // prettier-ignore

function isMachine(cpu: unknown): cpu is V86Machine {
  const isFunction = (name: string): boolean => typeof property(cpu, name) === "function";
  return (
    typeof property(property(cpu, "mem8"), "byteOffset") === "number" &&
    Array.isArray(property(property(cpu, "io"), "ports")) &&
    typeof property(property(cpu, "io"), "mmap_register") === "function" &&
    Array.isArray(property(cpu, "option_roms")) &&
    FUNCTIONS.every(isFunction)
  );
}

/** Before each slice of the guest's time `run` is called. */
export function beforeSlice(machine: V86Machine, run: () => void): void {
  const slice = machine.main_loop;
  machine.main_loop = () => {
    run();
    return slice();
  };
}

/** After each slice of the guest's time `run` is called; true: the next slice is to follow at once. */
export function afterSlice(machine: V86Machine, run: () => boolean): void {
  const slice = machine.main_loop;
  machine.main_loop = () => {
    const pause = slice();
    return run() ? 0 : pause;
  };
}

/** After translated code has been put in its place `run` is called. */
export function afterTranslation(machine: V86Machine, run: () => void): void {
  const finish = machine.codegen_finalize_finished;
  machine.codegen_finalize_finished = (...code) => {
    finish(...code);
    run();
  };
}

function property(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null ? Reflect.get(object, name) : undefined;
}

/** What answers at some ports; offsets count from the first of them. */
export interface PortHandlers {
  /** Undefined: it is for whoever was there before. */
  read(offset: number, width: 1 | 2 | 4): number | undefined;
  /** False: likewise. */
  write(offset: number, width: 1 | 2 | 4, value: number): boolean;
}

/** Puts handlers in front of some ports, until the function that is returned is called. */
export function takePorts({ io }: V86Machine, first: number, count: number, handlers: PortHandlers): () => void {
  const before = io.ports.slice(first, first + count);
  for (const [offset, port] of before.entries()) {
    const reader = (width: 1 | 2 | 4, otherwise: Reader) => (): number =>
      handlers.read(offset, width) ?? otherwise.call(port.device);
    const writer = (width: 1 | 2 | 4, otherwise: Writer) => (value: number) => {
      if (!handlers.write(offset, width, value)) otherwise.call(port.device, value);
    };
    io.ports[first + offset] = {
      read8: reader(1, port.read8),
      read16: reader(2, port.read16),
      read32: reader(4, port.read32),
      write8: writer(1, port.write8),
      write16: writer(2, port.write16),
      write32: writer(4, port.write32),
      device: port.device,
    };
  }
  return () => io.ports.splice(first, count, ...before);
}
