import { FeatureSet } from "../../../negotiation/feature-set.js";
import { ProtocolFeature, VhostUserError } from "../protocol/index.js";
import type { BackEndLink } from "./back-end-link.js";

/** Memory that a back end is given, where the driver has it. In bytes. */
export interface GivenMemory {
  readonly start: number;
  readonly size: number;
  readonly fd: number;
}

/** Memory is given region by region. Which way it is, every back end has for itself. */
export const MEMORY_SLOTS = FeatureSet.of([ProtocolFeature.CONFIGURE_MEM_SLOTS]);
/** Otherwise nothing says whether a region was taken. */
export const NEEDED_BY_MEMORY_SLOTS = FeatureSet.of([ProtocolFeature.REPLY_ACK]);

/**
 * Hands memory to a back end that has none yet: as a slot, if that was agreed on, and otherwise as a table of one region.
 * @throws VhostUserError `region-count` when it has no slot, `refused` when it does not take it
 */
export async function giveMemory({ channel, protocolFeatures }: BackEndLink, memory: GivenMemory): Promise<void> {
  const { start, size, fd } = memory;
  const region = { guestAddress: start, userAddress: start, fileOffset: 0, size };
  if (MEMORY_SLOTS.and(protocolFeatures).isEmpty) {
    await channel.tell("SET_MEM_TABLE", [region], [fd]);
    return;
  }
  const slots = await channel.askFor("u64", "GET_MAX_MEM_SLOTS");
  if (slots === 0n) throw channel.end(new VhostUserError("region-count", "the back end has no slot for memory"));
  await channel.tell("ADD_MEM_REG", region, [fd]);
}
