import type { DriverQueueOptions } from "./queue-types.js";
import { RingError } from "./ring-errors.js";
import { IndirectTables, type TableFormat } from "./segment-draft.js";

/**
 * The indirect tables of a driver's queue, if it is to have any.
 * @throws RingError when the room for them is not in guest memory.
 */
export function indirectTables(options: DriverQueueOptions, format: TableFormat): IndirectTables | undefined {
  const room = options.indirectTable;
  if (!options.features.indirect || room === undefined || room.entries < 2) return undefined;
  const bytes = room.entries * 16 * options.addresses.size;
  const region = options.memory.locate(room.address, bytes);
  if (region === undefined) {
    throw new RingError("indirect-outside-memory", options.index, { address: room.address, bytes });
  }
  return new IndirectTables(region.view, room.address - region.start, room.address, room.entries, format);
}
