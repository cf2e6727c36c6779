import { VhostUserError } from "./fault.js";

/** Parts of the inflight region begin at multiples of this. */
const alignment = 64;
/** Bytes of the header of a ring's part, and of an entry. */
const split = { header: 16, entry: 16 };
const packed = { header: 32, entry: 32 };

/** More rings than messages can name. */
const mostQueues = 256;

/** Bytes of a ring's part of the inflight region. */
export function inflightPartBytes(queueSize: number, isPacked: boolean): number {
  const { header, entry } = isPacked ? packed : split;
  return Math.ceil((header + entry * queueSize) / alignment) * alignment;
}

/** Bytes of the whole. @throws VhostUserError for numbers that no region has. */
export function inflightBytes(queues: number, queueSize: number, isPacked: boolean): number {
  if (queues < 1 || queues > mostQueues || queueSize < 1 || queueSize > 32768) {
    throw new VhostUserError("inflight-size", `${queues} rings of ${queueSize}`);
  }
  return queues * inflightPartBytes(queueSize, isPacked);
}
