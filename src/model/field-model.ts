import type { Formula } from "./formula-model.js";
import type { ItemModel, SpecVersion } from "./item-model.js";

export type ScalarType = "u8" | "le16" | "le32" | "le64" | "be16" | "be32" | "be64" | "u16" | "u32" | "u64";

export interface ArrayType {
  readonly of: FieldType;
  /** A number; null for the rest of the stream; otherwise the formula's text, with its tree beside it. */
  readonly length: number | null | string;
  readonly lengthTree: Formula | null;
  /** `bytes`: the length counts bytes, not elements. */
  readonly unit: "elements" | "bytes";
  /** Bytes that an element takes when that is not its own size. */
  readonly strideTree: Formula | null;
  /** The array ends after the first element for which this holds. */
  readonly endsTree: Formula | null;
}
/** A union with a tag: which struct it is depends on `subject`. The structs are in the device's `structs`. */
export interface MatchType {
  readonly match: string;
  readonly matchTree: Formula;
  readonly arms: readonly MatchArmModel[];
}
export interface MatchArmModel {
  /** Empty for the default. */
  readonly patterns: readonly PatternModel[];
  /** Name of the struct with the fields of this arm. */
  readonly struct: string;
  /** For a struct that takes values. */
  readonly arguments: readonly Formula[];
}
export interface PatternModel {
  /** Enum member, if it is one. */
  readonly name: string | null;
  readonly low: number;
  readonly high: number;
}
/** A struct that takes values from its user. */
export interface StructUse {
  readonly struct: string;
  readonly arguments: readonly Formula[];
}
/** A scalar, the name of a struct or external type, or something composed. */
export type FieldType = ScalarType | ArrayType | MatchType | StructUse | (string & {});

export type Access = "ro" | "rw" | "wo" | "w1c";

/** One of several things that a number stands for, by what else is in the message. */
export interface MeaningModel {
  /** Null: if none of the others applies. */
  readonly condition: string | null;
  readonly conditionTree: Formula | null;
  readonly kind: "enum" | "flags" | "bitset";
  /** Name of the enum or flags. */
  readonly type: string;
}

export interface UnionPlace {
  /** Which union of the list, from 0. */
  readonly group: number;
  /** Which of its members: those of a struct without a name are one. */
  readonly member: number;
  /** In bytes from the start of the union. */
  readonly offset: number;
  /** Of the whole union, in bytes. */
  readonly size: number;
}

export interface FieldModel extends ItemModel {
  readonly type: FieldType;
  /** In bytes from the start of the struct or stream; null if it depends on what comes before. */
  readonly offset: number | null;
  /** In bytes; null if it varies. */
  readonly size: number | null;
  /** For fields after a part of unknown length: bytes from the start of the field to the end of the stream. */
  readonly fromEnd: number | null;
  readonly access: Access;
  /** Of a `w1c` field: the field of the same configuration whose bits ones clear; null for its own. */
  readonly clears: string | null;
  readonly volatile: boolean;
  /** Written as zero, ignored when read. */
  readonly reserved: boolean;
  /** Of a reserved field: the reader is shown what is there, because it may have to refuse anything but zero. */
  readonly checked: boolean;
  /**
   * The field is there if the stream is long enough. Its type is an array that takes the rest of the stream and has one
   * element or none.
   */
  readonly optional: boolean;
  /** In a union all members overlap; elsewhere this is false. */
  readonly overlaps: boolean;
  /** Where it is in the union without a name that it is in; null elsewhere, and where that varies. */
  readonly union: UnionPlace | null;
  /** When the field exists; the text of the formula. */
  readonly condition: string | null;
  readonly conditionTree: Formula | null;
  /** True: an absent field takes no place (messages). False: its place stays and may not be read (config). */
  readonly moves: boolean;
  /** It is always there, but means something only under this condition. */
  readonly validTree: Formula | null;
  /** Which values are allowed. */
  readonly constraint: string | null;
  readonly constraintTree: Formula | null;
  /** Value after reset. */
  readonly default: number | null;
  readonly persists: boolean;
  /** From when on the driver may write it. */
  readonly phase: "any" | "features_ok" | "driver_ok" | null;
  /** Until when it may. */
  readonly before: "features_ok" | "driver_ok" | null;
  /** Never changes while the device is there. */
  readonly constant: boolean;
  /** Changes without a notification. */
  readonly unannounced: boolean;
  /** What the length or the type of the field is learnt from: a protocol, and what that has learnt. */
  readonly learnt: { readonly protocol: string; readonly field: string } | null;
  /** Name of the enum or flags that the number stands for; `bitset`: each bit is the number of an enum member. */
  readonly enum: string | null;
  readonly flags: string | null;
  readonly bitset: string | null;
  /** Of a bitset: the member that bit 0 is for. */
  readonly bitsetFrom: number;
  /** What the number stands for if that depends on other fields: the first whose condition holds. */
  readonly meanings: readonly MeaningModel[];
  /** Two's complement. */
  readonly signed: boolean;
  /** An address. */
  readonly address: boolean;
  /** Bytes for each 1 in an address: 4096 for a page number. */
  readonly addressUnit: number | null;
  /** Whose addresses they are; null for guest-physical ones. */
  readonly addressSpace: string | null;
  /** `char` arrays: `padded` with NULs, `terminated` by one, all of it (`exact`), or a `list` of terminated texts. */
  readonly text: "padded" | "terminated" | "exact" | "list" | null;
  /** For bit-fields: bits `shift .. shift + width - 1` of the container at `offset`, whose type is `type`. */
  readonly bits: { readonly shift: number; readonly width: number } | null;
  /** Bytes that the field occupies, whatever is in it. */
  readonly sizedTree: Formula | null;
  /**
   * For a length that is known from what it counts: the array that it counts, and what to add to the array's length to
   * get the field's value. Writers fill it in.
   */
  readonly counts: { readonly field: string; readonly plus: number } | null;
  readonly unit: string | null;
  /** Name in earlier versions. */
  readonly was: string | null;
  /** The last release that had that name, if it is known. */
  readonly wasUntil: SpecVersion | null;
}

export interface StructModel extends ItemModel {
  /** `header`: only a prefix may be present, long enough for the last field whose condition holds. */
  readonly kind: "struct" | "union" | "header";
  /** In bytes; null if it varies. For a `header` the size of all of it; a field of that type varies. */
  readonly size: number | null;
  /** The part that is always there. */
  readonly minSize: number;
  readonly parameters: readonly string[];
  readonly fields: readonly FieldModel[];
  readonly sizedTree: Formula | null;
  /** Declared inside of another one, without a name of its own. */
  readonly anonymous: boolean;
  /**
   * Not a layout of its own, but how the specification lists a message: what travels is described by `requests`, and these
   * are the same fields once more. Null for all other structs.
   */
  readonly message: MessageOrigin | null;
}
/**
 * Where the fields of such a struct come from. Where the variants differ, a field lies where all that have it have it;
 * those that not all have `overlap`. Behind readable fields come writable ones. Formulas mean what they mean in the request.
 */
export interface MessageOrigin {
  readonly request: string;
  /** Names of the variants that it describes. */
  readonly variants: readonly string[];
  readonly streams: "readable" | "writable" | "both";
}
export interface ConfigModel {
  readonly specName: string;
  readonly doc: string;
  readonly spec: string | null;
  readonly size: number | null;
  readonly fields: readonly FieldModel[];
  /**
   * A window on more than there is room for: when the driver writes one of the `selectors`, all the `answers` may change.
   * The device makes them from what is selected.
   */
  readonly window: { readonly selectors: readonly string[]; readonly answers: readonly string[] } | null;
}
export interface ExternalModel extends ItemModel {
  readonly size: number | null;
  /** Those that the definition mentions, from the start on; mostly none. */
  readonly fields: readonly FieldModel[];
}
export interface RegistersModel extends ItemModel {
  readonly size: number;
  readonly fields: readonly FieldModel[];
}
