import type { Name } from "../language/syntax-tree.js";
import type { Formula } from "./device-model.js";
import type { Facts, TypedFormula } from "./facts.js";
import type { EnumSymbol, Scope } from "./symbols.js";

/** A field that a formula mentions. */
export interface FieldAnswer {
  /** Undefined: the field is broken, and has been reported. */
  readonly formula: Formula | undefined;
  /** Whose members may stand beside it. */
  readonly enum: EnumSymbol | null;
}

/** What names mean where a formula stands. */
export interface FormulaEnvironment {
  readonly facts: Facts;
  readonly scope: Scope;
  /** Looks a field up by all of its path; undefined if there is none that begins like this. */
  readonly field?: (path: readonly Name[]) => FieldAnswer | undefined;
  /** Names of fields, for "did you mean". */
  readonly fieldNames?: () => Iterable<string>;
  readonly parameters?: ReadonlySet<string>;
  /** Features mean what was negotiated, whatever is implied. */
  readonly literal?: boolean;
  /** `k` is the position in an array of queues. */
  readonly index?: boolean;
  /** Whose members may be named without more ado: the subject of a match, the type of a default. */
  readonly expected?: EnumSymbol | null;
}

/** The environment of a part of a formula. */
export interface Inside extends FormulaEnvironment {
  readonly depth: number;
  /** Values of a macro's parameters. */
  readonly macroValues?: ReadonlyMap<string, TypedFormula>;
}

/** What a formula is that was reported. */
export const broken: TypedFormula = { formula: { op: "number", value: 0 }, kind: "broken", weight: 1 };
