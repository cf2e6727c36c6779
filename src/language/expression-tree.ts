import type { Span } from "../diagnostics/source.js";

/** What every node has: where it stands. */
export interface Located {
  readonly span: Span;
}

/** An identifier as written. Spec listings also have hyphens in field names (`command-specific-data`). */
export interface Name extends Located {
  readonly text: string;
}

/** Lines of `///` in front of a declaration, without the slashes; empty if there are none. */
export type Documentation = readonly string[];

// ---- expressions ----

export interface NumberExpression extends Located {
  readonly kind: "number";
  readonly value: bigint;
  /** As written: `0x10`, `16`, `'a'`. */
  readonly text: string;
}
export interface TextExpression extends Located {
  readonly kind: "text";
  readonly value: string;
}
/** `config.num_queues`, `hdr.flags`, `MQ`. */
export interface PathExpression extends Located {
  readonly kind: "path";
  readonly segments: readonly Name[];
}
export type UnaryOperator = "!" | "~" | "-";
export interface UnaryExpression extends Located {
  readonly kind: "unary";
  readonly operator: UnaryOperator;
  readonly operand: Expression;
}
export type BinaryOperator =
  "||" | "&&" | "|" | "^" | "&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "<<" | ">>" | "+" | "-" | "*" | "/" | "%";
/** The words `or`, `and` and `not` are other spellings of `||`, `&&` and `!`. */
export interface BinaryExpression extends Located {
  readonly kind: "binary";
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}
export interface ConditionalExpression extends Located {
  readonly kind: "conditional";
  readonly condition: Expression;
  readonly whenTrue: Expression;
  readonly whenFalse: Expression;
}
/** `sizeof(struct fuse_out_header)`. */
export interface SizeofExpression extends Located {
  readonly kind: "sizeof";
  readonly type: Name;
}
/** `min(a, b)`, or a function-like `#define`. */
export interface CallExpression extends Located {
  readonly kind: "call";
  readonly callee: Name;
  readonly arguments: readonly Expression[];
}
/** Stands where an expression should have been; the parser has already complained. */
export interface MissingExpression extends Located {
  readonly kind: "missing";
}
export type Expression =
  | NumberExpression
  | TextExpression
  | PathExpression
  | UnaryExpression
  | BinaryExpression
  | ConditionalExpression
  | SizeofExpression
  | CallExpression
  | MissingExpression;
