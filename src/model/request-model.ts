import type { FieldModel, PatternModel } from "./field-model.js";
import type { Formula } from "./formula-model.js";
import type { ItemModel, SpecVersion } from "./item-model.js";

/**
 * A request is two streams of bytes: all that the device reads, then all that it writes. `match` in the source is
 * flattened: a variant for each combination of tag values.
 */
export interface RequestModel extends ItemModel {
  /**
   * Fields that tell the variants apart, outermost first: `["class", "command"]`. A field inside of a struct is a path with
   * dots: `hdr.type`.
   */
  readonly discriminators: readonly string[];
  /** Native numbers have the byte order in which this holds for the first request; null: that of the guest. */
  readonly native: string | null;
  readonly nativeTree: Formula | null;
  readonly variants: readonly VariantModel[];
}
export interface VariantModel {
  /** PascalCase, from the tag values or from `as`. */
  readonly name: string;
  /** Of this layout, if it has one of its own (virtio_blk_req_za). */
  readonly specName: string | null;
  /** Of what the device reads, if that is a struct of its own (virtio_gpu_get_edid); it is in `structs`. */
  readonly readableSpecName: string | null;
  readonly doc: string;
  readonly since: SpecVersion;
  /** Section of the specification. */
  readonly spec: string | null;
  /** By discriminator; a missing one is not looked at, an empty list of patterns is `default`: any other value. */
  readonly tags: readonly { readonly field: string; readonly patterns: readonly PatternModel[] }[];
  readonly conditionTree: Formula | null;
  /** Flat, in order; discriminators are among them. */
  readonly readable: readonly FieldModel[];
  /** One, unless the reply has a tag of its own. */
  readonly replies: readonly ReplyModel[];
}
export interface ReplyModel {
  readonly name: string | null;
  /** Of what the device writes, if that is a struct of its own (virtio_gpu_resp_edid); it is in `structs`. */
  readonly specName: string | null;
  readonly doc: string;
  readonly since: SpecVersion;
  /** Features and fields that this reply needs. */
  readonly conditionTree: Formula | null;
  readonly tags: readonly { readonly field: string; readonly patterns: readonly PatternModel[] }[];
  readonly writable: readonly FieldModel[];
}

export interface QueueModel extends ItemModel {
  /** Formula text over `k`, features and config. */
  readonly index: string;
  readonly indexTree: Formula;
  /** Formula text; `1` for a single queue. */
  readonly count: string;
  readonly countTree: Formula;
  /** True if declared as an array. */
  readonly many: boolean;
  readonly role: "request" | "transmit" | "receive" | "held" | "deferred";
  /** Name of the request or struct that travels on it. */
  readonly message: string;
  readonly condition: string | null;
  readonly conditionTree: Formula | null;
  /** `merged by`: field that counts the buffers which one message spans, and when that may be more than one. */
  readonly merged: { readonly field: readonly string[]; readonly conditionTree: Formula | null } | null;
  /** Smallest buffer that the driver may post, in bytes. */
  readonly holdsTree: Formula | null;
  /** Most buffers that may be posted at a time. */
  readonly postedTree: Formula | null;
  /** `posted` counts those for which this field has the same value. */
  readonly postedPer: readonly string[] | null;
}

export interface SharedMemoryModel extends ItemModel {
  readonly id: number;
  readonly last: number | null;
  readonly condition: string | null;
  readonly conditionTree: Formula | null;
}
export interface TableModel {
  readonly table: "capabilities" | "resources" | "parts";
  readonly entries: readonly (ItemModel & {
    readonly id: number;
    readonly last: number | null;
    readonly type: string | null;
  })[];
}
