/**
 * The checked device model: plain JSON data, what every emitter reads. Described by `schema/model.schema.json` and
 * versioned by `modelVersion`. Names are in the order of the source; nothing depends on the machine it was made on.
 */

export const MODEL_VERSION = 1;

/** A release of the specification that brought an item, such as `1.2`. */
export type SpecVersion = string;

export interface Model {
  readonly modelVersion: typeof MODEL_VERSION;
  readonly devices: readonly DeviceModel[];
  /** Declarations outside of devices, which all of them can use. */
  readonly shared: SharedModel;
}

/** What every item carries. */
export interface ItemModel {
  /** Name in the definition. */
  readonly name: string;
  /** The exact identifier that the specification uses. */
  readonly specName: string;
  readonly doc: string;
  readonly since: SpecVersion;
  /** The last release that has it. */
  readonly until: SpecVersion | null;
  /** Section of the specification, if the definition or what encloses it gives one. */
  readonly spec: string | null;
}

export interface SharedModel {
  readonly enums: readonly EnumModel[];
  readonly structs: readonly StructModel[];
  readonly externals: readonly ExternalModel[];
  readonly constants: readonly ConstantModel[];
}

export interface DeviceModel extends SharedModel {
  readonly name: string;
  /** `core` has the id null. */
  readonly kind: "device" | "core";
  readonly id: number | null;
  readonly doc: string;
  readonly since: SpecVersion;
  readonly spec: string | null;
  /** File name of the definition, without folders. */
  readonly source: string;
  readonly features: readonly FeatureModel[];
  readonly featureRules: readonly FeatureRuleModel[];
  readonly config: ConfigModel | null;
  readonly requests: readonly RequestModel[];
  readonly queues: readonly QueueModel[];
  readonly sharedMemory: readonly SharedMemoryModel[];
  /** Numbers of admin commands' payloads: capabilities, resource objects, device parts. */
  readonly tables: readonly TableModel[];
  readonly registers: readonly RegistersModel[];
  /** What holds over several messages. */
  readonly protocols: readonly ProtocolModel[];
  /** Which answers belong to which requests. */
  readonly answers: readonly AnswersModel[];
}

// ---- formulas ----

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

// ---- features ----

export interface FeatureModel extends ItemModel {
  readonly bit: number;
  readonly legacy: boolean;
  /** And of ors: each inner list is a choice of which one must be negotiated too. */
  readonly requires: readonly (readonly string[])[];
  /** Likewise, for what a device that offers this feature offers too. */
  readonly offers: readonly (readonly string[])[];
  readonly mandatory: boolean;
  /** The device may refuse a driver that does without it. */
  readonly expected: boolean;
  /** When it counts as negotiated although it was not; formulas elsewhere have this filled in. */
  readonly implied: string | null;
  readonly impliedTree: Formula | null;
  /** Transport that the feature is limited to. */
  readonly only: string | null;
}
export interface FeatureRuleModel {
  readonly doc: string;
  /** As written, in canonical form. */
  readonly condition: string;
  readonly conditionTree: Formula;
}

// ---- types and fields ----

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
}
export interface RegistersModel extends ItemModel {
  readonly size: number;
  readonly fields: readonly FieldModel[];
}

// ---- constants ----

export interface EnumModel extends ItemModel {
  readonly kind: "enum" | "flags";
  /** Other values than the members may occur. */
  readonly open: boolean;
  /** Null for a C enum without a type. */
  readonly type: ScalarType | null;
  readonly members: readonly EnumMemberModel[];
  /** In flags: numbers that share the word. */
  readonly masked: readonly MaskedEnumModel[];
}
export interface EnumMemberModel extends ItemModel {
  /** In flags the mask; a decimal string beyond 2^53. */
  readonly value: number | string;
  /** For ranges: the last value. */
  readonly last: number | string | null;
  /** For flags that were given as a bit number. */
  readonly bit: number | null;
  readonly legacy: boolean;
  /** Another name for a value that has one. */
  readonly alias: boolean;
}
export interface MaskedEnumModel {
  readonly name: string;
  readonly doc: string;
  readonly mask: number;
  readonly members: readonly EnumMemberModel[];
}
/** Every number with a name: `const`, `#define`, members of enums and flags (as the spec gives them: a bit number stays one). */
export interface ConstantModel {
  readonly name: string;
  readonly specName: string;
  readonly value: number | string;
  readonly doc: string;
  readonly since: SpecVersion;
  /** Enum or flags that it belongs to. */
  readonly of: string | null;
}

// ---- requests and queues ----

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

// ---- protocols and answers ----

/** A message, a change of the configuration, or something that no message shows. */
export type EventModel =
  /**
   * `kinds`: which requests, as the definition names them; empty for all of them, and for a message that is a struct.
   * `variants` have them; a variant with several tags may stand for other kinds as well.
   */
  | {
      readonly kind: "message";
      readonly message: string;
      readonly kinds: readonly string[];
      readonly variants: readonly string[];
    }
  | { readonly kind: "config"; readonly path: readonly string[] }
  | { readonly kind: "other"; readonly text: string };
export type Side = "driver" | "device";

/** When something holds: a formula, or in words. */
export interface ConditionModel {
  readonly condition: string | null;
  readonly conditionTree: Formula | null;
  readonly conditionText: string | null;
}

/**
 * States that the device, or each object with an id, goes through; counters that messages change; what is learnt from one
 * message about later ones. An id comes to life when its state is no longer the first one, and ends when it is again.
 */
export interface ProtocolModel extends ItemModel, ConditionModel {
  /** The field that says which object a message is about; null if there is only one. */
  readonly key: readonly string[] | null;
  /** Who chooses the ids. */
  readonly by: Side | null;
  /** Which ids there can be; the id is a parameter with the name of the key's last field. */
  readonly limit: string | null;
  readonly limitTree: Formula | null;
  /** The first is where it begins. */
  readonly states: readonly StateModel[];
  readonly transitions: readonly TransitionModel[];
  readonly counters: readonly CounterModel[];
  /** What always holds between counters, which are parameters. */
  readonly invariants: readonly {
    readonly doc: string;
    readonly condition: string;
    readonly conditionTree: Formula;
  }[];
  readonly learns: readonly LessonModel[];
}
export type StateModel = ItemModel;
type UnnamedItem = Omit<ItemModel, "name" | "specName">;
/** Any of the events, in any of the states `from`, leads to the state `to`, or to no other one. */
export interface TransitionModel extends UnnamedItem, ConditionModel {
  readonly events: readonly EventModel[];
  readonly by: Side | null;
  readonly key: readonly string[] | null;
  /** `any` stands for all of them. */
  readonly from: readonly string[];
  readonly to: string | null;
}
export interface CounterModel extends ItemModel, ConditionModel {
  /** It wraps like this type. */
  readonly type: ScalarType;
  /** What it is after an event; counters are parameters. */
  readonly value: string;
  readonly valueTree: Formula;
  readonly events: readonly EventModel[];
  readonly by: Side | null;
}
export interface LessonModel {
  readonly doc: string;
  readonly fields: readonly string[];
  readonly events: readonly EventModel[];
}

export interface AnswersModel extends UnnamedItem {
  /** Name of the request, or of the struct of a message. */
  readonly message: string;
  readonly rules: readonly AnswerRuleModel[];
}
/**
 * `status`: `field` has the value. `echo`: `field` repeats `source`. `late`: the answer may wait, even behind later ones.
 * `ordered`: answers come in the order of the requests. `used`: what the used length means (`exact`: bytes written;
 * `ignored`: not to be relied on; `zero`: nothing was done). `short`: what happens if the stream `field` is too short
 * (`zeros`: what is missing counts as zeros; `cut`: what does not fit is left out), or what a field says then. `only`:
 * nothing behind `field` is written.
 */
export interface AnswerRuleModel extends UnnamedItem, ConditionModel {
  readonly strength: "must" | "should" | "may";
  readonly verb: "status" | "echo" | "late" | "ordered" | "used" | "short" | "only";
  readonly field: readonly string[] | null;
  readonly value: string | null;
  readonly valueTree: Formula | null;
  readonly meaning: "exact" | "ignored" | "zero" | "zeros" | "cut" | null;
  readonly source: readonly string[] | null;
  /** Kinds of the request, as the definition names them; empty for all of them. */
  readonly kinds: readonly string[];
  /** The variants that have these kinds; one with several tags may stand for other kinds as well. */
  readonly variants: readonly string[];
  /** `ordered` and `late`: only among those for which this field has the same value. */
  readonly per: readonly string[] | null;
}
