import type { Name } from "../language/syntax-tree.js";
import type { Facts } from "./facts.js";
import { builtinScalar, findTypeSymbol, scalarSize, underlyingType } from "./field-types.js";
import { kindText, type Scope } from "./symbols.js";

/** Size of a type in bytes, as `sizeof` gives it; null if it varies, undefined if it is broken. */
export function sizeOfType(name: Name, scope: Scope, facts: Facts): number | null | undefined {
  const scalar = builtinScalar(name.text);
  if (scalar !== undefined) return scalarSize(scalar);
  const symbol = findTypeSymbol(name, scope, facts);
  if (!symbol) return undefined;
  switch (symbol.kind) {
    case "struct": {
      const layout = facts.structs.get(symbol);
      return layout === undefined || layout.broken ? undefined : layout.model.size;
    }
    case "external":
      return facts.externals.get(symbol);
    case "enum": {
      const underlying = underlyingType(symbol, facts);
      if (underlying === null) {
        facts.bag.report("enum-without-type", name.span, { name: symbol.name });
        return undefined;
      }
      return underlying === undefined ? undefined : scalarSize(underlying);
    }
    case "request":
      facts.bag.report("wrong-kind", name.span, { name: name.text, expected: "a type", found: kindText(symbol) });
      return undefined;
  }
}
