/** Where a device's registers are, and which interrupt it has. */
export interface MmioPlace {
  readonly start: number;
  /** In bytes. */
  readonly length: number;
  readonly irq: number;
}

/** The hardware ID by which Linux's driver finds virtio-mmio devices. */
const HARDWARE_ID = "LNRO0005";
const HEADER = 36;
const CHECKSUM = 9;

/** An ACPI table (SSDT) that tells a guest of virtio-mmio devices, up to 16 of them: `Device (VIR0)` and so on in `\_SB`. */
export function acpiTable(places: readonly MmioPlace[]): Uint8Array {
  const code = [0x10, ...sized([...ascii("\\_SB_"), ...places.flatMap(device)])];
  const table = Uint8Array.from([
    ...[...ascii("SSDT"), ...dword(HEADER + code.length)],
    // Revision, and the checksum, which makes the sum of all bytes 0
    ...[2, 0],
    ...[...ascii("VIRTIO"), ...ascii("VIRTMMIO"), ...dword(1)],
    ...[...ascii("VGEN"), ...dword(1)],
    ...code,
  ]);
  table[CHECKSUM] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return table;
}

function device({ start, length, irq }: MmioPlace, index: number): number[] {
  const resources = [
    // Memory32Fixed (ReadWrite, start, length)
    ...[0x86, ...word(9), 1, ...dword(start), ...dword(length)],
    // Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { irq }
    ...[0x89, ...word(6), 0b1001, 1, ...dword(irq)],
    ...[0x79, 0],
  ];
  const content = [
    ...ascii(`VIR${index.toString(16).toUpperCase()}`),
    ...named("_HID", [0x0d, ...ascii(HARDWARE_ID), 0]),
    ...named("_UID", [0x0a, index]),
    ...named("_CRS", [0x11, ...sized([0x0a, resources.length, ...resources])]),
  ];
  return [0x5b, 0x82, ...sized(content)];
}

/** `Name (name, value)`. */
function named(name: string, value: readonly number[]): number[] {
  return [0x08, ...ascii(name), ...value];
}

/** A package with its length in front, which counts itself: of one byte or of two. */
function sized(content: readonly number[]): number[] {
  if (content.length + 1 < 0x40) return [content.length + 1, ...content];
  const length = content.length + 2;
  return [0x40 | (length & 0xf), length >> 4, ...content];
}

function ascii(text: string): number[] {
  return [...Buffer.from(text, "latin1")];
}
function word(value: number): number[] {
  return [value & 0xff, value >> 8];
}
function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
