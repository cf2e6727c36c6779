/** A name that generated code takes from the runtime. */
export interface RuntimeSymbol {
  readonly kind: "runtime-symbol";
  readonly name: string;
  /** Used as a type only, here. */
  readonly typeOnly: boolean;
}

/** The module that generated code links against. */
export const RUNTIME_MODULE = "virtio-gen/runtime";

export function runtime(name: string): RuntimeSymbol {
  return { kind: "runtime-symbol", name, typeOnly: false };
}

export function runtimeType(name: string): RuntimeSymbol {
  return { kind: "runtime-symbol", name, typeOnly: true };
}

/** One import declaration with every symbol once, in alphabetical order; empty if there are none. */
export function importDeclaration(symbols: readonly RuntimeSymbol[]): string {
  const values = new Set(symbols.filter((symbol) => !symbol.typeOnly).map((symbol) => symbol.name));
  const names = [...new Set(symbols.map((symbol) => symbol.name))].sort();
  if (names.length === 0) return "";
  if (values.size === 0) return `import type { ${names.join(", ")} } from ${JSON.stringify(RUNTIME_MODULE)};`;
  const specifiers = names.map((name) => (values.has(name) ? name : `type ${name}`));
  return `import { ${specifiers.join(", ")} } from ${JSON.stringify(RUNTIME_MODULE)};`;
}
