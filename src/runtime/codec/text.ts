/**
 * How text lies in a field: `padded` with NULs up to the field's length, `terminated` by a NUL that must be there, or
 * `exact`, all bytes of it.
 */
export type TextForm = "padded" | "terminated" | "exact";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** UTF-8 to text; what is not UTF-8 becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  // A copy, because TextDecoder refuses views of shared memory in browsers.
  return decoder.decode(bytes.slice());
}

/** Text to UTF-8. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes that the text takes in UTF-8, without a NUL. */
export function textSize(text: string): number {
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) size += 1;
    else if (unit < 0x800) size += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      size += 4;
      i++;
    } else size += 3;
  }
  return size;
}

/** Bytes that a list of texts takes, each with its NUL. */
export function textListSize(texts: readonly string[]): number {
  let size = texts.length;
  for (const text of texts) size += textSize(text);
  return size;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
