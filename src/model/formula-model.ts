/** A checked expression. Constants and `let`s are already filled in. */
export type Formula =
  | { readonly op: "number"; readonly value: number | string } // a string if it is beyond 2^53
  | { readonly op: "feature"; readonly feature: string } // negotiated?
  | { readonly op: "config"; readonly path: readonly string[] }
  /** A field decoded before: of the same struct or stream (`self`), or of the readable part (`readable`). */
  | { readonly op: "field"; readonly scope: "self" | "readable"; readonly path: readonly string[] }
  | { readonly op: "parameter"; readonly name: string }
  /** `k`: which queue of an array, from 0. */
  | { readonly op: "index" }
  | { readonly op: "unary"; readonly operator: "!" | "~" | "-"; readonly operand: Formula }
  | { readonly op: "binary"; readonly operator: FormulaOperator; readonly left: Formula; readonly right: Formula }
  | { readonly op: "conditional"; readonly condition: Formula; readonly whenTrue: Formula; readonly whenFalse: Formula }
  | {
      readonly op: "call";
      readonly function: "min" | "max" | "popcount" | "is_power_of_two";
      readonly arguments: readonly Formula[];
    };
export type FormulaOperator =
  "||" | "&&" | "|" | "^" | "&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "<<" | ">>" | "+" | "-" | "*" | "/" | "%";
