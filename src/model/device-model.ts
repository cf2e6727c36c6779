import type { ConfigModel, ExternalModel, RegistersModel, ScalarType, StructModel } from "./field-model.js";
import type { Formula } from "./formula-model.js";
import type { ItemModel, SpecVersion } from "./item-model.js";
import type { AnswersModel, ProtocolModel } from "./protocol-model.js";
import type { QueueModel, RequestModel, SharedMemoryModel, TableModel } from "./request-model.js";

export type * from "./field-model.js";
export type * from "./formula-model.js";
export type * from "./item-model.js";
export type * from "./protocol-model.js";
export type * from "./request-model.js";

/**
 * The checked device model: plain JSON data, what every emitter reads. Described by `schema/model.schema.json` and
 * versioned by `modelVersion`. Names are in the order of the source; nothing depends on the machine it was made on.
 */

export const MODEL_VERSION = 1;

export interface Model {
  readonly modelVersion: typeof MODEL_VERSION;
  readonly devices: readonly DeviceModel[];
  /** Declarations outside of devices, which all of them can use. */
  readonly shared: SharedModel;
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
