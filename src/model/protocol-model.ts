import type { ScalarType } from "./field-model.js";
import type { Formula } from "./formula-model.js";
import type { ItemModel } from "./item-model.js";

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
 * nothing behind `field` is written. `failed`: `field` has the value if the device could not do what it was asked for
 * (see request-failures.ts).
 */
export interface AnswerRuleModel extends UnnamedItem, ConditionModel {
  readonly strength: "must" | "should" | "may";
  readonly verb: "status" | "echo" | "late" | "ordered" | "used" | "short" | "only" | "failed";
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
