import { DiagnosticBag, type Diagnostic } from "../diagnostics/diagnostic.js";
import type { Source } from "../diagnostics/source.js";

export interface Decoded {
  readonly source: Source;
  /** Where the bytes are not UTF-8: the first such place. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Bytes of a file to its text, without a byte order mark. Bytes that are not UTF-8 are shown as U+FFFD. */
export function decodeSource(name: string, bytes: Uint8Array): Decoded {
  try {
    return { source: { name, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) }, diagnostics: [] };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const source = { name, text: new TextDecoder("utf-8").decode(bytes) };
  const start = new TextDecoder("utf-8").decode(bytes.subarray(0, validPrefix(bytes))).length;
  const bag = new DiagnosticBag();
  bag.report("invalid-utf8", { source, start, end: start + 1 }, {}, { help: "save the file as UTF-8" });
  return { source, diagnostics: bag.sorted() };
}

/** How many bytes at the front are whole, valid characters. */
function validPrefix(bytes: Uint8Array): number {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (isPrefix(bytes.subarray(0, middle))) low = middle;
    else high = middle - 1;
  }
  return low - cutOff(bytes.subarray(0, low));
}

/** Whether the bytes are valid so far: the last character may be cut in the middle. */
function isPrefix(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** How many bytes at the end belong to a character that is not whole. */
function cutOff(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
