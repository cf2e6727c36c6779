import {
  numberAt,
  putNumber,
  Registers,
  type GuestAccessWidth,
  type RegisterFile,
} from "../registers/register-file.js";
import { PciCapability, PciCommand, PciRegister, PciStatus, StructureType } from "./pci-layout.js";

/** A BAR of a function. */
export interface PciBar {
  /** 0 to 5. A 64-bit one takes the next number, too. */
  readonly index: number;
  readonly kind: "memory" | "memory64" | "io";
  /** A power of two; at least 16 bytes in memory and 4 in I/O space. */
  readonly length: number;
  readonly registers: RegisterFile;
}

/** What a function says of itself in the header of its configuration space. */
export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Class, subclass and interface in 24 bits. */
  readonly classCode: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
}

/** A capability without its first two bytes, which the list fills in. */
export interface CapabilityBody {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** Which bits the driver may write; none if absent. */
  readonly writable?: Uint8Array;
}

const LENGTH = 256;
const FIRST_CAPABILITY = 0x40;

/** Called when the driver has written something with an effect. */
export interface ConfigSpaceListener {
  /** Bits of the command register. */
  commandChanged(command: number): void;
  /** Message control of MSI-X: on, and all vectors masked. */
  msixChanged(enabled: boolean, masked: boolean): void;
  barChanged(): void;
  /** Why an access through the configuration access capability was not done. */
  refuse(text: string): void;
}

/** The PCI configuration space of a function: header, BARs, capabilities. */
export class PciConfigSpace extends Registers {
  readonly length = LENGTH;
  readonly #bytes = new Uint8Array(LENGTH);
  readonly #writable = new Uint8Array(LENGTH);
  readonly #bars: readonly PciBar[];
  readonly #listener: ConfigSpaceListener;
  #msix: number | undefined;
  #access: number | undefined;

  /** @throws RangeError when there is no room for all capabilities */
  constructor(
    identity: PciIdentity,
    hasLine: boolean,
    bars: readonly PciBar[],
    capabilities: readonly CapabilityBody[],
    listener: ConfigSpaceListener,
  ) {
    super();
    this.#bars = bars;
    this.#listener = listener;
    this.#msix = undefined;
    this.#access = undefined;
    this.#put(PciRegister.vendor, 2, identity.vendor);
    this.#put(PciRegister.device, 2, identity.device);
    this.#put(PciRegister.revision, 1, identity.revision);
    this.#put(PciRegister.classCode, 1, identity.classCode & 0xff);
    this.#put(PciRegister.classCode + 1, 2, identity.classCode >>> 8);
    this.#put(PciRegister.subsystemVendor, 2, identity.subsystemVendor);
    this.#put(PciRegister.subsystem, 2, identity.subsystem);
    this.#put(PciRegister.status, 2, PciStatus.capabilityList);
    this.#put(PciRegister.interruptPin, 1, hasLine ? 1 : 0);
    const command = PciCommand.io | PciCommand.memory | PciCommand.busMaster | PciCommand.interruptDisable;
    putNumber(this.#writable, PciRegister.command, 2, command);
    // Cache line size, latency and interrupt line are for whoever wrote them.
    this.#writable.fill(0xff, 0x0c, 0x0e);
    this.#writable[PciRegister.interruptLine] = 0xff;
    for (const bar of bars) this.#addBar(bar);
    this.#addCapabilities(capabilities);
  }

  /** Where the driver has put a BAR, or undefined while it has not or does not let it decode. */
  barAddress(index: number): number | undefined {
    const bar = this.#bars.find((one) => one.index === index);
    if (bar === undefined || !this.decodes(bar.kind)) return undefined;
    const register = PciRegister.bar0 + 4 * index;
    const low = numberAt(this.#bytes, register, 4);
    const high = bar.kind === "memory64" ? numberAt(this.#bytes, register + 4, 4) : 0;
    const address = high * 2 ** 32 + ((low & (bar.kind === "io" ? ~3 : ~15)) >>> 0);
    return address === 0 ? undefined : address;
  }

  /** Whether the function answers accesses to BARs of this kind. */
  decodes(kind: PciBar["kind"]): boolean {
    const command = this.#bytes[PciRegister.command] ?? 0;
    return (command & (kind === "io" ? PciCommand.io : PciCommand.memory)) !== 0;
  }

  /** The interrupt bit of the status register. */
  setInterruptStatus(pending: boolean): void {
    const before = numberAt(this.#bytes, PciRegister.status, 2);
    this.#put(PciRegister.status, 2, pending ? before | PciStatus.interrupt : before & ~PciStatus.interrupt);
  }

  read(offset: number, width: GuestAccessWidth): number {
    if (this.#touchesAccessData(offset, width)) this.#throughAccess("read");
    return numberAt(this.#bytes, offset, width);
  }

  write(offset: number, width: GuestAccessWidth, value: number): void {
    const command = numberAt(this.#bytes, PciRegister.command, 2);
    const control = this.#msixControl();
    for (let byte = 0; byte < width; byte++) {
      const at = offset + byte;
      const mask = this.#writable[at] ?? 0;
      const written = Math.floor(value / 2 ** (8 * byte)) & 0xff;
      this.#bytes[at] = ((this.#bytes[at] ?? 0) & ~mask) | (written & mask);
    }
    if (numberAt(this.#bytes, PciRegister.command, 2) !== command) {
      this.#listener.commandChanged(numberAt(this.#bytes, PciRegister.command, 2));
      this.#listener.barChanged();
    }
    if (offset < PciRegister.bar0 + 24 && offset + width > PciRegister.bar0) this.#listener.barChanged();
    const now = this.#msixControl();
    if (now !== control) this.#listener.msixChanged((now & 0x8000) !== 0, (now & 0x4000) !== 0);
    if (this.#touchesAccessData(offset, width)) this.#throughAccess("write");
  }

  /** All bytes, a number each. */
  save(): readonly number[] {
    return [...this.#bytes];
  }
  /** Whether a saved space is of a function like this one: what no driver can write is the same. */
  isLike(saved: readonly number[]): boolean {
    if (saved.length !== LENGTH) return false;
    return this.#bytes.every((byte, at) => {
      const changes = (this.#writable[at] ?? 0) | (at === PciRegister.status ? PciStatus.interrupt : 0);
      return (((saved[at] ?? 0) ^ byte) & ~changes) === 0;
    });
  }
  /** Takes over what the driver could have written; the rest is as this function has it. */
  restore(saved: readonly number[]): void {
    for (let at = 0; at < LENGTH; at++) {
      const mask = this.#writable[at] ?? 0;
      this.#bytes[at] = ((this.#bytes[at] ?? 0) & ~mask) | ((saved[at] ?? 0) & mask);
    }
    const control = this.#msixControl();
    this.#listener.commandChanged(numberAt(this.#bytes, PciRegister.command, 2));
    this.#listener.msixChanged((control & 0x8000) !== 0, (control & 0x4000) !== 0);
    this.#listener.barChanged();
  }

  #put(offset: number, width: number, value: number): void {
    putNumber(this.#bytes, offset, width, value);
  }

  #addBar(bar: PciBar): void {
    const register = PciRegister.bar0 + 4 * bar.index;
    this.#put(register, 4, bar.kind === "io" ? 1 : bar.kind === "memory64" ? 0xc : 0);
    // The address bits below the length read 0: that is how the length is found out.
    const mask = 2 ** 64 - bar.length;
    putNumber(this.#writable, register, 4, bar.length >= 2 ** 32 ? 0 : 2 ** 32 - bar.length);
    if (bar.kind === "memory64") {
      putNumber(this.#writable, register + 4, 4, bar.length >= 2 ** 32 ? Math.floor(mask / 2 ** 32) : 0xffff_ffff);
    }
  }

  #addCapabilities(capabilities: readonly CapabilityBody[]): void {
    let at = FIRST_CAPABILITY;
    let link: number = PciRegister.capabilities;
    for (const { id, bytes, writable } of capabilities) {
      if (at + 2 + bytes.length > LENGTH)
        throw new RangeError("the configuration space has no room for so many capabilities");
      this.#put(link, 1, at);
      this.#bytes[at] = id;
      this.#bytes.set(bytes, at + 2);
      if (writable !== undefined) this.#writable.set(writable, at + 2);
      if (id === PciCapability.msix) this.#msix = at;
      if (id === PciCapability.vendor && bytes[1] === StructureType.pciAccess) this.#access = at;
      link = at + 1;
      at += Math.ceil((2 + bytes.length) / 4) * 4;
    }
  }

  #msixControl(): number {
    return this.#msix === undefined ? 0 : numberAt(this.#bytes, this.#msix + 2, 2);
  }

  #touchesAccessData(offset: number, width: number): boolean {
    const data = (this.#access ?? LENGTH) + 16;
    return offset < data + 4 && offset + width > data;
  }

  /** Reads or writes the part of a BAR that the driver has written into the capability (4.1.4.9). */
  #throughAccess(what: "read" | "write"): void {
    const at = this.#access ?? 0;
    const index = this.#bytes[at + 4] ?? 0;
    const offset = numberAt(this.#bytes, at + 8, 4);
    const width = numberAt(this.#bytes, at + 12, 4);
    const bar = this.#bars.find((one) => one.index === index);
    if (bar === undefined || (width !== 1 && width !== 2 && width !== 4)) {
      this.#listener.refuse(`configuration access: BAR ${String(index)}, length ${String(width)}`);
    } else if (offset % width !== 0 || offset + width > bar.length) {
      this.#listener.refuse(`configuration access: offset ${String(offset)} of BAR ${String(index)}`);
    } else if (what === "write") bar.registers.write(offset, width, numberAt(this.#bytes, at + 16, width));
    else {
      this.#put(at + 16, 4, bar.registers.read(offset, width));
      return;
    }
    if (what === "read") this.#put(at + 16, 4, 0);
  }
}
