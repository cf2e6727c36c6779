/** Identifiers: from the specification's spelling to TypeScript's. */

/** The words of a name: `max_nr_ports`, `command-specific-data`, `MagicValue`, `ZONE_OPEN`. */
function words(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "");
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
}

/** Joins words; two digits that would run together keep an underscore (`vq_index_1_16` is `vqIndex1_16`). */
function glued(parts: readonly string[]): string {
  let result = "";
  for (const part of parts) result += /\d$/.test(result) && /^\d/.test(part) ? `_${part}` : part;
  return /^\d/.test(result) ? `_${result}` : result;
}

/** `max_nr_ports` -> `maxNrPorts`. */
export function camelCase(name: string): string {
  const [first, ...rest] = words(name);
  return glued([(first ?? "_").toLowerCase(), ...rest.map(capitalised)]);
}

/** `zone_report` -> `ZoneReport`. */
export function pascalCase(name: string): string {
  return glued(words(name).map(capitalised));
}

/** `IdBytes` -> `ID_BYTES`. */
export function constantCase(name: string): string {
  return words(name)
    .map((word) => word.toUpperCase())
    .join("_");
}

/** `ZoneReport` -> `zone_report`. */
export function snakeCase(name: string): string {
  return words(name)
    .map((word) => word.toLowerCase())
    .join("_");
}

/** Name of a struct, enum or constant without the part that says that it is virtio's, or this device's. */
export function withoutPrefix(name: string, device: string): string {
  const prefixes = [`virtio_${device}_`, `virt${device}_`, "virtio_", `${device}_`];
  for (const prefix of prefixes) {
    const lower = name.toLowerCase();
    if (lower.startsWith(prefix) && lower.length > prefix.length) return name.slice(prefix.length);
  }
  return name;
}

const RESERVED_WORDS = new Set(
  (
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends false " +
    "finally for function if implements import in instanceof interface let new null package private protected public " +
    "return static super switch this throw true try typeof undefined var void while with yield NaN Infinity"
  ).split(" "),
);

/** Names that generated functions use themselves. */
const LOCAL_NAMES = new Set(
  "reader writer features config view at start body input bytes written left Number BigInt Math DataView".split(" "),
);

/** A name for a local variable that clashes with neither a word of the language nor what generated code uses. */
export function localName(name: string, taken: ReadonlySet<string> = LOCAL_NAMES): string {
  return RESERVED_WORDS.has(name) || LOCAL_NAMES.has(name) || taken.has(name) ? `${name}Field` : name;
}

/** Names that functions of structs use beside their parameters. */
const FUNCTION_NAMES = new Set("value tag end part element".split(" "));

/** A parameter of a struct, as its functions call it. */
export function parameterName(name: string): string {
  return localName(camelCase(name), FUNCTION_NAMES);
}

/** The name, with a number behind it if somebody else has it. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  let candidate = name;
  for (let number = 2; taken.has(candidate); number++) candidate = `${name}${number}`;
  return candidate;
}

/** A {@link freeName} for a variable, which is taken from now on. */
export function newVariable(name: string, taken: Set<string>): string {
  const free = freeName(localName(name), taken);
  taken.add(free);
  return free;
}

/** Members of the runtime's base classes, which a generated subclass must not hide. */
export function memberName(name: string, taken: ReadonlySet<string>): string {
  return taken.has(name) || name === "constructor" ? `${name}Field` : name;
}

/** Hands out names, each once. */
export class NameScope {
  readonly #taken = new Set<string>();

  /** The first of the candidates that is free, or undefined. */
  claim(...candidates: readonly string[]): string | undefined {
    const name = candidates.find((candidate) => !this.#taken.has(candidate));
    if (name !== undefined) this.#taken.add(name);
    return name;
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }
}
