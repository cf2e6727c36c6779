import type { Expression, Located, Name } from "./expression-tree.js";

/**
 * What may follow a declaration, in any order: `if MQ`, `since 1.3`, `as VIRTIO_BLK_T_*`, `@ 0x20`. One shape for all,
 * so that a new clause is one word in the grammar and one rule in the model.
 */
export interface ExpressionClause extends Located {
  readonly kind: "clause";
  readonly word:
    | "if" // a field or queue exists / may be read only under this condition
    | "valid" // `valid if C`: always there, but means something only under this condition
    | "requires" // a feature needs these to be negotiated too
    | "offers" // a device that offers the feature offers these too
    | "at" // `@ offset` of a field (asserted), index of a queue, bit of a flag
    | "where" // what values are allowed
    | "default" // value after reset
    | "sized" // how many bytes the struct or field occupies, whatever is in it
    | "stride" // how many bytes each element of an array occupies
    | "ends" // an array ends after the first element for which this holds
    | "merged" // `merged by hdr.num_buffers`: one message may span this many buffers
    | "holds" // `holds N`: the smallest buffer that the driver may post
    | "posted" // `posted N`: the most buffers that may be posted at a time
    | "per" // for each value of this field: how many buffers, which state, which order
    | "learnt" // length or type of the field: what a protocol has learnt from an earlier message
    | "implied" // `implied if C`: the feature counts as negotiated under this condition
    | "native"; // `native if C`: native numbers have the byte order in which this holds
  readonly expression: Expression;
}
export interface VersionClause extends Located {
  readonly kind: "clause";
  readonly word: "since" | "until";
  /** `1.3`. */
  readonly version: string;
}
export interface NameClause extends Located {
  readonly kind: "clause";
  /**
   * `as`: the identifier that the spec uses, `*` for the member's own name. `was`: its name in earlier versions.
   * `phase`: from when on a config field may be written (`any`, `features_ok`, `driver_ok`); `before`: until when.
   * `only`: on which transport. `by`: which side does it. `members`: pattern of the members' names. `clears`: the field
   * whose bits ones clear that are written to this one.
   */
  readonly word: "as" | "was" | "phase" | "before" | "only" | "by" | "members" | "clears";
  readonly name: Name;
  /** Behind `was name`: the last release that had that name. */
  readonly until?: VersionClause;
}
export interface TextClause extends Located {
  readonly kind: "clause";
  /** `spec "5.2.6"`, `unit "512-byte sectors"`. */
  readonly word: "spec" | "unit";
  readonly text: string;
}
export interface WordClause extends Located {
  readonly kind: "clause";
  /**
   * `mandatory`: offered and accepted always. `persists`: survives a device reset. `terminated`: the text ends with NUL.
   * `strings`: a list of NUL-terminated texts. `expected`: the device may refuse a driver without it. `constant`: never
   * changes. `unannounced`: changes without a notification. `alias`: another name for a value. `unnamed`: has no
   * identifier in the specification.
   */
  readonly word:
    "mandatory" | "expected" | "persists" | "constant" | "unannounced" | "terminated" | "strings" | "alias" | "unnamed";
}
export interface NamesClause extends Located {
  readonly kind: "clause";
  /** `window select, subsel`: what the config holds depends on what was last written to these fields. */
  readonly word: "window";
  readonly names: readonly Name[];
}
export type Clause = ExpressionClause | VersionClause | NameClause | TextClause | WordClause | NamesClause;
export type ClauseWord = Clause["word"];
