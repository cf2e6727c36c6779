import { COMMON_CONFIG_LENGTH } from "./pci-layout.js";

/** Where the virtio structures of a function lie in its BAR. */
export interface StructureLayout {
  readonly common: number;
  readonly isr: number;
  readonly config: number;
  readonly notify: number;
  readonly notifyLength: number;
  /** Bytes between the notification addresses of two queues; 0: all share one. */
  readonly multiplier: number;
  /** Length of the BAR: a power of two. */
  readonly length: number;
}

const PAGE = 0x1000;
/** Longest I/O BAR that PCI allows. */
const MOST_PORTS = 256;

/**
 * In memory each structure has pages of its own, so that a hypervisor may map them one by one, and each queue its own
 * address. I/O space is scarce: the structures follow each other, and all queues share one address.
 *
 * @param queues one more than the highest queue index
 * @throws RangeError when I/O space is too small for the configuration
 */
export function structureLayout(kind: "memory" | "io", configSize: number, queues: number): StructureLayout {
  if (kind === "memory") {
    const config = 2 * PAGE;
    const notify = config + Math.max(1, Math.ceil(configSize / PAGE)) * PAGE;
    const notifyLength = Math.max(PAGE, 4 * queues);
    const length = powerOfTwo(notify + notifyLength);
    return { common: 0, isr: PAGE, config, notify, notifyLength, multiplier: 4, length };
  }
  const notify = COMMON_CONFIG_LENGTH;
  const isr = notify + 4;
  const config = isr + 4;
  const length = powerOfTwo(config + configSize);
  if (length > MOST_PORTS) throw new RangeError("the configuration is too large for a BAR in I/O space");
  return { common: 0, isr, config, notify, notifyLength: 4, multiplier: 0, length };
}

/** The smallest power of two that is not below `length`. */
export function powerOfTwo(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}
