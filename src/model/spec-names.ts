/** A declared name in both forms. */
export interface NamePair {
  /** Short, as the definition and the generated code use it. */
  readonly name: string;
  /** The identifier of the specification. */
  readonly specName: string;
}

/** Whose names they are: `blk`; null outside of devices. */
export interface NamingScope {
  readonly kind: "device" | "core" | "shared";
  readonly name: string;
  /** `virtio_snd`: what names begin with, if that is not made from the device's name. */
  readonly prefix?: string | undefined;
}

/** `virtio_blk_`; for `core` and outside of devices `virtio_`. */
export function lowerPrefix(scope: NamingScope): string {
  if (scope.prefix !== undefined) return `${scope.prefix}_`;
  return scope.kind === "device" ? `virtio_${snakeCase(scope.name)}_` : "virtio_";
}

/** `VIRTIO_BLK_`; for `core` `VIRTIO_`. */
export function upperPrefix(scope: NamingScope): string {
  return lowerPrefix(scope).toUpperCase();
}

/** Pattern of the members of an enum without `as`. Outside of devices a name stands for itself. */
export function defaultMemberPattern(scope: NamingScope): string {
  return scope.kind === "shared" ? "*" : `${upperPrefix(scope)}*`;
}

/** Applies a pattern such as `VIRTIO_BLK_T_*` to a name written short or in full. */
export function namesByPattern(pattern: string, written: string): NamePair {
  const star = pattern.indexOf("*");
  const prefix = star < 0 ? pattern : pattern.slice(0, star);
  const suffix = star < 0 ? "" : pattern.slice(star + 1);
  if (
    written.length > prefix.length + suffix.length &&
    prefix + suffix !== "" &&
    written.startsWith(prefix) &&
    written.endsWith(suffix)
  ) {
    return { name: written.slice(prefix.length, written.length - suffix.length), specName: written };
  }
  if (written.startsWith("VIRTIO_")) return { name: written, specName: written };
  return { name: written, specName: prefix + written + suffix };
}

/** True for a name in the style of the specification's listings, such as `virtio_blk_req`. */
export function isSpecStyle(written: string): boolean {
  return /^[a-z_]/.test(written) || written.includes("_");
}

/** Names of a struct, a request or another type. `asName` is what its `as` clause says. */
export function typeNames(written: string, asName: string | undefined, scope: NamingScope): NamePair {
  if (!isSpecStyle(written)) return { name: written, specName: asName ?? lowerPrefix(scope) + snakeCase(written) };
  const prefix = lowerPrefix(scope);
  const short =
    scope.kind !== "shared" && written.startsWith(prefix) && written.length > prefix.length
      ? written.slice(prefix.length)
      : written;
  return { name: pascalCase(short), specName: asName ?? written };
}

/** `DiscardWriteZeroes` -> `discard_write_zeroes`. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/-/g, "_")
    .toLowerCase();
}

/** `GET_ID` -> `GetId`, `virtio_blk_req` -> `VirtioBlkReq`, `DiscardRange` stays. */
export function pascalCase(name: string): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const text = words.map((word) => capitalised(/[a-z]/.test(word) ? word : word.toLowerCase())).join("");
  return text === "" ? "Unnamed" : text;
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** One name for several tags: `ZONE_OPEN`, `ZONE_CLOSE` -> `ZoneOpenClose`. */
export function joinedPascalCase(names: readonly string[]): string {
  const [first, ...others] = names;
  if (first === undefined) return "Other";
  const firstWords = first.split("_");
  let text = pascalCase(first);
  for (const other of others) {
    const words = other.split("_");
    let common = 0;
    while (common < words.length - 1 && words[common] === firstWords[common]) common += 1;
    text += pascalCase(words.slice(common).join("_"));
  }
  return text;
}

/** The wanted name, or with a number behind it if it is taken. Remembers what it gives. */
export function uniqueName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  const numbers = lastNumbers.get(taken) ?? new Map<string, number>();
  lastNumbers.set(taken, numbers);
  let number = numbers.get(wanted) ?? 1;
  while (taken.has(name)) name = `${wanted}${String((number += 1))}`;
  numbers.set(wanted, number);
  taken.add(name);
  return name;
}

/** The number that each name was last given, so that thousands of equal names do not each count from the start. */
const lastNumbers = new WeakMap<Set<string>, Map<string, number>>();

/** True for names that mark bytes without a meaning even where nobody wrote `reserved`. */
export function isReservedName(name: string): boolean {
  return /(^|_)(reserved|padding|unused)\d*$/.test(name);
}
