import { Clause, ProtocolError } from "../../negotiation/errors.js";
import type { AddressSpace } from "../bus/address-space.js";
import type { FunctionBars } from "./base-addresses.js";
import type { MsixPlace } from "./capability-list.js";
import type { PciInterrupts } from "./pci-host.js";

const ENTRY_BYTES = 16;
/** Bits of the capability's message control. */
const ENABLE = 0x8000;
const MASK_ALL = 0x4000;

/**
 * Gives the function's vectors their messages and turns MSI-X on. Returns how many vectors there are: up to `wanted`,
 * 0 when the host has no messages.
 * @throws ProtocolError `transport-layout` when the table is outside of the function's BARs.
 */
export async function enableMsix(
  config: AddressSpace,
  base: number,
  place: MsixPlace,
  bars: FunctionBars,
  interrupts: PciInterrupts,
  wanted: number,
  listener: (vector: number) => void,
): Promise<number> {
  const count = Math.min(wanted, place.vectors);
  const table = bars.get(place.table.bar);
  if (table === undefined || place.table.offset + count * ENTRY_BYTES > table.length) {
    const text = "the MSI-X table is not in a BAR that exists";
    throw new ProtocolError("transport-layout", Clause.pciVectors, text);
  }
  const messages = (await interrupts.messages?.(count, listener)) ?? [];
  if (messages.length === 0) return 0;
  const control = (await config.read(base + place.capability + 2, 2)) & ~(ENABLE | MASK_ALL);
  await config.write(base + place.capability + 2, 2, control | ENABLE | MASK_ALL);
  for (const [vector, message] of messages.entries()) {
    const entry = place.table.offset + vector * ENTRY_BYTES;
    await table.write64(entry, message.address);
    await table.write(entry + 8, 4, message.data);
    await table.write(entry + 12, 4, 0);
  }
  await config.write(base + place.capability + 2, 2, control | ENABLE);
  return messages.length;
}

/** Turns MSI-X off. */
export async function disableMsix(config: AddressSpace, base: number, place: MsixPlace): Promise<void> {
  const control = (await config.read(base + place.capability + 2, 2)) & ~(ENABLE | MASK_ALL);
  await config.write(base + place.capability + 2, 2, control);
}
