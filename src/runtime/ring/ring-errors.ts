/** The section of VIRTIO 1.4 that states a rule for split and for packed queues, and what it says in short. */
export interface RuleText {
  readonly clause: string;
  readonly packed: string;
  readonly says: string;
}

/**
 * Every rule that a virtqueue can find broken.
 * The key is stable; the numbers that belong to one case are added by {@link RingError}.
 */
const ringRules = {
  // What the local program asks for when it creates a queue.
  "queue-size": {
    clause: "2.7",
    packed: "2.8",
    says: "the size of a queue must be from 1 to 32768, and a power of two in the split format",
  },
  "ring-alignment": { clause: "2.7.1", packed: "2.8.10.1", says: "a part of the virtqueue is not aligned as required" },
  "ring-outside-memory": {
    clause: "2.7",
    packed: "2.8",
    says: "a part of the virtqueue is not inside one region of guest memory",
  },
  "ring-backing-alignment": {
    clause: "2.7.1",
    packed: "2.8.10.1",
    says: "the bytes behind a part of the virtqueue are not aligned in their buffer",
  },
  "host-not-little-endian": { clause: "1.4", packed: "1.4", says: "the rings need a little-endian host" },
  position: { clause: "2.7.13", packed: "2.8.1", says: "a queue of this size cannot be at this position" },
  resubmit: {
    clause: "2.7.13",
    packed: "2.8.20",
    says: "a queue of this size and format cannot have had these buffers in flight",
  },

  // What a driver can do wrong in the buffers that it offers.
  "descriptor-loop": { clause: "2.7.5.2", packed: "2.8.17", says: "the descriptor chain loops" },
  "chain-too-long": {
    clause: "2.7.5.3.1",
    packed: "2.8.17",
    says: "the descriptor chain is longer than the queue",
  },
  "chain-too-many-bytes": {
    clause: "2.7.5.2",
    packed: "2.8.5",
    says: "the buffer is longer than 2^32 bytes in total",
  },
  "chain-too-scattered": {
    clause: "2.7.4.1",
    packed: "2.8.5",
    says: "the buffers in flight have too many pieces",
  },
  "next-out-of-range": {
    clause: "2.7.5",
    packed: "2.8.6",
    says: "next points past the end of the descriptor table",
  },
  "address-wraps": { clause: "2.7.5", packed: "2.8.4", says: "address plus length goes past 2^64" },
  "address-outside-memory": { clause: "2.7.5", packed: "2.8.4", says: "the buffer is not in guest memory" },
  "buffer-across-hole": {
    clause: "2.7.5",
    packed: "2.8.4",
    says: "the buffer starts in guest memory but does not end there",
  },
  "address-not-allowed": {
    clause: "2.7.5",
    packed: "2.8.4",
    says: "the platform does not let the device access the buffer",
  },
  "readable-after-writable": {
    clause: "2.7.4.2",
    packed: "2.8.17",
    says: "a device-readable descriptor comes after a device-writable one",
  },
  "indirect-not-negotiated": {
    clause: "2.7.5.3.1",
    packed: "2.8.19",
    says: "an indirect descriptor without VIRTIO_F_INDIRECT_DESC",
  },
  "indirect-nested": {
    clause: "2.7.5.3.1",
    packed: "2.8.19",
    says: "an indirect descriptor inside an indirect table",
  },
  "indirect-with-next": {
    clause: "2.7.5.3.1",
    packed: "2.8.19",
    says: "a descriptor is both indirect and chained",
  },
  "indirect-length": {
    clause: "2.7.5.3",
    packed: "2.8.7",
    says: "the length of an indirect table is not a multiple of 16",
  },
  "indirect-empty": { clause: "2.7.5.3", packed: "2.8.7", says: "an indirect table has no entries" },
  "indirect-outside-memory": {
    clause: "2.7.5.3",
    packed: "2.8.7",
    says: "an indirect table is not in guest memory",
  },
  "available-index-jump": {
    clause: "2.7.13.3",
    packed: "2.8.21",
    says: "the available index moved on by more than the size of the queue",
  },
  "available-index-backwards": { clause: "2.7.6.1", packed: "2.8.21", says: "the available index went backwards" },
  "head-out-of-range": {
    clause: "2.7.6",
    packed: "2.8.21",
    says: "the available ring names a descriptor past the end of the table",
  },
  "head-in-flight": {
    clause: "2.7.13",
    packed: "2.8.21",
    says: "the available ring names a buffer that the device still holds",
  },
  "available-overrun": {
    clause: "2.7.13",
    packed: "2.8.16",
    says: "more descriptors are available than the device has handed back",
  },
  "chain-not-available": {
    clause: "2.7.13",
    packed: "2.8.17",
    says: "a descriptor of a chain is not available although the one before it is",
  },

  // What a device can do wrong in the buffers that it hands back.
  "used-index-jump": {
    clause: "2.7.8",
    packed: "2.8.22",
    says: "the used index moved on by more than the buffers in flight",
  },
  "used-id-out-of-range": {
    clause: "2.7.8",
    packed: "2.8.22",
    says: "the used entry names a buffer past the end of the queue",
  },
  "used-batch-too-long": {
    clause: "2.7.9",
    packed: "2.8.8",
    says: "the used entry stands for more buffers than the used index has moved on",
  },
  "used-id-not-a-head": { clause: "2.7.8", packed: "2.8.22", says: "the used ring names the middle of a buffer" },
  "used-id-not-in-flight": {
    clause: "2.7.8",
    packed: "2.8.22",
    says: "the used entry names a buffer that the device does not hold",
  },

  // What the local program can do wrong when it adds a buffer.
  "segment-range": { clause: "2.7.5", packed: "2.8.4", says: "address or length of a segment is out of range" },
  "chain-empty": { clause: "2.7.13.1", packed: "2.8.21.1", says: "a buffer has at least one segment" },
} as const satisfies Record<string, RuleText>;

/** Stable name of a rule that a {@link RingError} reports. */
export type RingRule = keyof typeof ringRules;

/** All rules, for documentation and tests. */
export const ringErrorRules: Readonly<Record<RingRule, RuleText>> = ringRules;

/** A virtqueue was used against the rules, by the peer or by the local program. */
export class RingError extends Error {
  readonly rule: RingRule;
  /** Section of VIRTIO 1.4 that states the rule. */
  readonly clause: string;
  /** Index of the virtqueue. */
  readonly queue: number;

  /** `numbers` are the values of this case by name, such as the descriptor and the limit that it broke. */
  constructor(rule: RingRule, queue: number, numbers: Readonly<Record<string, number>> = {}, packed = false) {
    const { clause: split, packed: inPacked, says } = ringRules[rule];
    const clause = packed ? inPacked : split;
    const values = [["queue", queue] as const, ...Object.entries(numbers)];
    super(`${says} (${values.map(([name, value]) => `${name} ${value}`).join(", ")}; VIRTIO 1.4, ${clause})`);
    this.name = "RingError";
    this.rule = rule;
    this.clause = clause;
    this.queue = queue;
  }
}
