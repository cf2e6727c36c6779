const numberForms: readonly (readonly [form: RegExp, prefix: string])[] = [
  [/^0[xX]([0-9A-Fa-f]+)([uUlL]{0,3})$/, "0x"],
  [/^0[bB]([01]+)([uUlL]{0,3})$/, "0b"],
  [/^(0|[1-9][0-9]*)([uUlL]{0,3})$/, ""],
];

/**
 * The value of a decimal, hexadecimal or binary number; the suffixes of C are ignored. `undefined` if it is none: `08`
 * would mean something else in C, and `1x` means nothing.
 */
export function parseNumber(text: string): bigint | undefined {
  for (const [form, prefix] of numberForms) {
    const digits = form.exec(text)?.[1];
    if (digits !== undefined) return BigInt(prefix + digits);
  }
  return undefined;
}

const escapes: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, a: 7, b: 8, f: 12, v: 11, "0": 0 };

/** The code of a character literal such as `'a'`, `'\n'` or `'\x1b'`. */
export function parseCharacter(text: string): bigint | undefined {
  const inside = text.slice(1, -1);
  if (!inside.startsWith("\\")) return BigInt(inside.codePointAt(0) ?? 0);
  const hex = /^\\x([0-9A-Fa-f]{1,2})$/.exec(inside)?.[1];
  if (hex !== undefined) return BigInt(`0x${hex}`);
  if (inside.length !== 2) return undefined;
  const letter = inside.charAt(1);
  return BigInt(escapes[letter] ?? letter.charCodeAt(0));
}

/** What a text in quotes says; a backslash takes the next character as it is. */
export function parseText(image: string): string {
  const closed = image.length > 1 && image.endsWith('"');
  return image.slice(1, closed ? -1 : undefined).replace(/\\(.)/g, "$1");
}
