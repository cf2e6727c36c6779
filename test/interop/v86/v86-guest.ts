import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { V86 } from "v86";
import { MmioBus } from "../../../examples/v86/mmio-bus.js";
import { PciBus } from "../../../examples/v86/pci-bus.js";
import { machineOf, type V86Machine } from "../../../examples/v86/v86-machine.js";
import { V86Memory } from "../../../examples/v86/v86-memory.js";
import type { GuestMemory, TraceEvent, VirtioDevice } from "../../../src/runtime/index.js";
import { GuestCommands } from "../linux/guest-commands.js";
import { GuestUnavailable } from "../linux/initramfs.js";
import { within } from "../linux/within.js";
import { requirePeer } from "../peers.js";
import { ShellLine } from "./shell-line.js";
import { v86Image } from "./v86-image.js";

/** For how long a guest may take to start, in seconds: it needs about 25, on a machine that does nothing else. */
const BOOT_PATIENCE = 300;
const MEMORY = 128 << 20;
/** The first slot that v86 has nothing in. */
const FIRST_SLOT = 20;
/** Where Debian's package seabios has the firmware. */
const FIRMWARE = "/usr/share/seabios";
const KERNEL_ARGUMENTS = "console=ttyS0 panic=-1 loglevel=4 mitigations=off nokaslr random.trust_cpu=on tsc=reliable";

/** Where devices are plugged in before the guest starts. */
export interface V86Plugs {
  /** That ACPI tables tell the guest what there is. */
  readonly acpi: boolean;
  plugIn(machine: V86Machine, memory: V86Memory): void;
}

/** Who is told of what the guest does with devices. */
export interface V86Listeners {
  /** Something went over the transport of a device. */
  readonly trace?: (device: VirtioDevice, event: TraceEvent) => void;
  /** An access to registers that makes no sense. */
  readonly refused?: (error: Error) => void;
}

/** On the PCI bus, one after the other. */
export function onPci(devices: readonly VirtioDevice[], { trace, refused }: V86Listeners = {}): V86Plugs {
  return {
    acpi: false,
    plugIn(machine, memory) {
      const bus = new PciBus(machine, memory);
      for (const [index, device] of devices.entries()) {
        bus.plugIn(FIRST_SLOT + index, device, {
          ...(trace === undefined ? {} : { trace: (event) => trace(device, event) }),
          onError: (error) => refused?.(error),
        });
      }
    },
  };
}

/** Behind memory-mapped registers, all with one interrupt line. */
export function onMmio(devices: readonly VirtioDevice[]): V86Plugs {
  return {
    acpi: true,
    plugIn(machine, memory) {
      const bus = new MmioBus(machine, memory);
      for (const device of devices) bus.plugIn(10, device);
    },
  };
}

/** Asks for a guest in v86 at the top of a suite: `describe.runIf(await requireV86())`. The first one makes it. */
export function requireV86(): Promise<boolean> {
  return requirePeer("a Linux guest in v86 (Debian's kernel for i386, seabios)", async () => {
    if (process.platform !== "linux") return "its guest is made on Linux";
    if (!existsSync(join(FIRMWARE, "bios.bin"))) return "there is no firmware (Debian's package seabios)";
    try {
      await v86Image();
      return undefined;
    } catch (problem) {
      if (problem instanceof GuestUnavailable) return problem.message;
      throw problem;
    }
  });
}

export interface V86Options {
  /** More arguments for the kernel. */
  readonly kernelArguments?: string;
}

/** Linux in v86, a PC in WebAssembly, with generated devices. All of it is in this process. */
export class V86Guest extends GuestCommands {
  readonly #emulator: V86;
  readonly #line: ShellLine;
  #console = "";
  #isGone = false;
  #memory: V86Memory | undefined;

  private constructor(emulator: V86, line: ShellLine) {
    // It ends when it is told to, and not by itself.
    super(line, { exited: new Promise(() => undefined), ended: new Promise(() => undefined) });
    this.#emulator = emulator;
    this.#line = line;
    this.#memory = undefined;
    emulator.add_listener("serial1-output-byte", (byte) => line.take(byte));
    emulator.add_listener("serial0-output-byte", (byte) => (this.#console += String.fromCharCode(byte)));
  }

  /**
   * Boots it and waits until commands can be run in it.
   * @param devices What is on the PCI bus, or how something is plugged in.
   * @param modules Modules of the kernel to load.
   * @throws Error with what it printed on its console.
   */
  static async start(
    devices: readonly VirtioDevice[] | V86Plugs,
    modules: readonly string[],
    { kernelArguments = "" }: V86Options = {},
  ): Promise<V86Guest> {
    const plugs = "plugIn" in devices ? devices : onPci(devices);
    const { kernel, initrd } = await v86Image();
    const packageFolder = dirname(createRequire(import.meta.url).resolve("v86"));
    const emulator = new V86({
      wasm_path: join(packageFolder, "v86.wasm"),
      bios: await file(join(FIRMWARE, "bios.bin")),
      vga_bios: await file(join(FIRMWARE, "vgabios-stdvga.bin")),
      bzimage: await file(kernel),
      initrd: await file(initrd),
      cmdline: `${KERNEL_ARGUMENTS} ${kernelArguments}`,
      memory_size: MEMORY,
      acpi: plugs.acpi,
      uart1: true,
      autostart: false,
      disable_keyboard: true,
      disable_mouse: true,
      disable_speaker: true,
    });
    const line = new ShellLine((bytes) => emulator.serial_send_bytes(1, bytes));
    const guest = new V86Guest(emulator, line);
    try {
      await within(
        120,
        "v86 is not loaded",
        new Promise((resolve) => emulator.add_listener("emulator-loaded", resolve)),
      );
      const machine = machineOf(emulator);
      const memory = (guest.#memory = new V86Memory(machine));
      plugs.plugIn(machine, memory);
      await emulator.run();
      await within(BOOT_PATIENCE, "the guest does not start", line.ready);
      await guest.run(modules.map((module) => `modprobe ${module}`).join(" && "), BOOT_PATIENCE);
      return guest;
    } catch (error) {
      if (error instanceof Error) error.message += guest.account();
      await guest.close();
      throw error;
    }
  }

  /** What the devices see of its memory. */
  get memory(): GuestMemory {
    if (this.#memory === undefined) throw new Error("the guest has not been started");
    return this.#memory.guest;
  }

  override async close(): Promise<void> {
    this.hangUp();
    if (this.#isGone) return;
    this.#isGone = true;
    this.#line.close();
    await this.#emulator.stop();
    await this.#emulator.destroy();
  }

  override account(): string {
    return `\nThe guest's console:\n${this.#console.replaceAll("\r", "").slice(-8192)}`;
  }
}

async function file(path: string): Promise<{ readonly buffer: ArrayBuffer }> {
  const bytes = await readFile(path);
  return { buffer: new Uint8Array(bytes).buffer };
}
