import { Clause, ProtocolError } from "../../negotiation/errors.js";
import { RegisterWindow, type AddressSpace } from "../bus/address-space.js";
import type { PciHost } from "./pci-host.js";
import { PciCommand, PciRegister } from "./pci-layout.js";

const BARS = 6;

/** Hands out bus addresses to BARs that no firmware has placed. */
export interface BarRoom {
  /** Next free memory address; kept below 2^32, so that every BAR can be placed. */
  nextMemory: number;
  nextPort: number;
}

/** The BARs of a function, by number; those that do not exist are absent. */
export type FunctionBars = ReadonlyMap<number, RegisterWindow>;

/**
 * Finds the BARs of a function and how long they are; those without an address get one from `room`. Turns the function's
 * decoding and bus mastering on.
 * @throws ProtocolError `transport-layout` when a BAR has no address and there is no room.
 */
export async function setUpBars(host: PciHost, base: number, room?: BarRoom): Promise<FunctionBars> {
  const { config } = host;
  const command = await config.read(base + PciRegister.command, 2);
  // Nothing may decode an address while sizes are probed.
  await config.write(base + PciRegister.command, 2, command & ~(PciCommand.io | PciCommand.memory));
  const bars = new Map<number, RegisterWindow>();
  for (let bar = 0; bar < BARS;) {
    const found = await setUpBar(host, base, bar, room);
    if (found.window !== undefined) bars.set(bar, found.window);
    bar += found.isWide ? 2 : 1;
  }
  const on = PciCommand.io | PciCommand.memory | PciCommand.busMaster;
  await config.write(base + PciRegister.command, 2, (command | on) & ~PciCommand.interruptDisable);
  return bars;
}

async function setUpBar(host: PciHost, base: number, bar: number, room: BarRoom | undefined) {
  const { config } = host;
  const register = base + PciRegister.bar0 + 4 * bar;
  const before = await config.read(register, 4);
  const isPort = (before & 1) !== 0;
  const isWide = !isPort && (before & 6) === 4 && bar + 1 < BARS;
  const low = await probe(config, register, before);
  const high = isWide ? await probe(config, register + 4, await config.read(register + 4, 4)) : 0;
  const length = barLength(low, isPort, isWide ? high : undefined);
  if (length === undefined) return { isWide, window: undefined };

  const mask = isPort ? 0xffff_fffc : 0xffff_fff0;
  let address = (before & mask) >>> 0;
  if (isWide) address += (await config.read(register + 4, 4)) * 2 ** 32;
  if (address === 0) {
    if (room === undefined) throw layoutError(`BAR ${String(bar)} has no address`);
    address = place(room, length, isPort);
    await config.write(register, 4, address % 2 ** 32);
    if (isWide) await config.write(register + 4, 4, Math.floor(address / 2 ** 32));
  }
  // No machine has memory there, and numbers are not exact there.
  if (!Number.isSafeInteger(address + length)) return { isWide, window: undefined };
  const space: AddressSpace | undefined = isPort ? host.ports : host.memory;
  return { isWide, window: space === undefined ? undefined : new RegisterWindow(space, address, length) };
}

/** What reads back after writing ones; the register is as before afterwards. */
async function probe(config: AddressSpace, register: number, before: number): Promise<number> {
  await config.write(register, 4, 0xffff_ffff);
  const read = await config.read(register, 4);
  await config.write(register, 4, before);
  return read;
}

/** Length that the writable address bits mean, or undefined if there is no BAR. `high` is for 64-bit ones. */
function barLength(low: number, isPort: boolean, high = 0): number | undefined {
  const writable = (low & (isPort ? 0xffff_fffc : 0xffff_fff0)) >>> 0;
  if (writable === 0 && high === 0) return undefined;
  // I/O BARs may have 16 address bits only.
  if (isPort) return (~(writable | 0xffff_0000) >>> 0) + 1;
  if (writable !== 0) return (~writable >>> 0) + 1;
  return ((~high >>> 0) + 1) * 2 ** 32;
}

function place(room: BarRoom, length: number, isPort: boolean): number {
  const next = isPort ? room.nextPort : room.nextMemory;
  const address = Math.ceil(next / length) * length;
  const end = address + length;
  if (end > (isPort ? 0x1_0000 : 0x1_0000_0000)) throw layoutError(`there is no room for ${String(length)} bytes`);
  if (isPort) room.nextPort = end;
  else room.nextMemory = end;
  return address;
}

function layoutError(text: string): ProtocolError {
  return new ProtocolError("transport-layout", Clause.pciLayout, text);
}
