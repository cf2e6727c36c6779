/** What a display says of itself: one of its resolution, at 60 Hz, without extensions (VESA E-EDID, release A, 3). */
export function edidOf(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(128);
  bytes.set([0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
  // Manufacturer: three letters of 5 bits. Product 1, made in 2026, version 1.4.
  const [first, second, third] = Array.from("VGN", (letter) => letter.charCodeAt(0) - 64);
  const name = ((first ?? 0) << 10) | ((second ?? 0) << 5) | (third ?? 0);
  bytes.set([name >>> 8, name & 0xff, 1, 0, 0, 0, 0, 0, 1, 36, 1, 4], 8);
  // Digital, 8 bits a color; 32 by 24 cm; gamma 2.2; sRGB, and the first timing is the preferred one.
  bytes.set([0xa0, 32, 24, 120, 0x06], 20);
  // Chromaticity of sRGB; no established timings, no standard ones.
  bytes.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  bytes.fill(1, 38, 54);
  const [blankX, blankY] = [160, 30];
  const clock = Math.round(((width + blankX) * (height + blankY) * 60) / 10_000);
  const high = (value: number, other: number): number => ((value >>> 8) << 4) | (other >>> 8);
  bytes.set(
    [
      ...[clock & 0xff, clock >>> 8],
      ...[width & 0xff, blankX, high(width, blankX)],
      ...[height & 0xff, blankY, high(height, blankY)],
      // Where the synchronization pulses are in the blanks, and how long; the size in mm; no border; digital.
      ...[48, 32, (3 << 4) | 6, 0, 320 & 0xff, 240, 1 << 4, 0, 0, 0x1a],
    ],
    54,
  );
  // Three more descriptors, which say nothing.
  for (const at of [72, 90, 108]) bytes[at + 3] = 0x10;
  bytes[127] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
}
