import type { Clause } from "./clause-syntax.js";
import type { Documentation, Expression, Located, Name, PathExpression } from "./expression-tree.js";
import type { NamedType } from "./syntax-tree.js";

/** `Control.PCM_START`, `config.status`, `"the line rises"`. */
export type ProtocolEvent =
  | (Located & { readonly kind: "path-event"; readonly path: PathExpression })
  | (Located & { readonly kind: "text-event"; readonly text: string });
/** A state that an object, or the device, may be in. The first one is where it begins. */
export interface StateDeclaration extends Located {
  readonly kind: "state";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly clauses: readonly Clause[];
}
/** `on Control.PCM_START by driver if C : PREPARED, STOPPED => RUNNING;`. Without `=>` the state stays. */
export interface TransitionDeclaration extends Located {
  readonly kind: "transition";
  readonly documentation: Documentation;
  readonly events: readonly ProtocolEvent[];
  readonly clauses: readonly Clause[];
  readonly from: readonly Name[];
  readonly to: Name | undefined;
}
/** `counter sent : le32 = sent + hdr.len on Packet;`. */
export interface CounterDeclaration extends Located {
  readonly kind: "counter";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly type: NamedType | undefined;
  readonly value: Expression;
  readonly events: readonly ProtocolEvent[];
  readonly clauses: readonly Clause[];
}
/** `keep sent <= allowed;`. */
export interface InvariantDeclaration extends Located {
  readonly kind: "invariant";
  readonly documentation: Documentation;
  readonly condition: Expression;
}
/** `learns type, count on Control.CTL_INFO;`. */
export interface LessonDeclaration extends Located {
  readonly kind: "lesson";
  readonly documentation: Documentation;
  readonly fields: readonly Name[];
  readonly events: readonly ProtocolEvent[];
}
export type ProtocolMember =
  StateDeclaration | TransitionDeclaration | CounterDeclaration | InvariantDeclaration | LessonDeclaration;
/** `protocol PcmStream per stream_id { ... }`: what holds over several messages. */
export interface ProtocolBlock extends Located {
  readonly kind: "protocol";
  readonly documentation: Documentation;
  readonly name: Name;
  readonly clauses: readonly Clause[];
  readonly members: readonly ProtocolMember[];
}
/**
 * `status`: a field of the answer has this value. `echo`: it has the value of a field of the request. `late`: the answer may
 * wait. `ordered`: answers come in the order of the requests. `used`: what the used length means. `short`: what happens if
 * there is not enough room. `only`: nothing behind the field is written. `failed`: the field has this value if the device
 * could not do what it was asked for, and all of the answer that no such rule is about is zero.
 */
export interface AnswerRule extends Located {
  readonly kind: "answer-rule";
  readonly documentation: Documentation;
  readonly strength: "must" | "should" | "may";
  readonly verb: "status" | "echo" | "late" | "ordered" | "used" | "short" | "only" | "failed";
  readonly target: PathExpression | undefined;
  readonly value: Expression | undefined;
  /** Which requests it is about; all of them if there are none. */
  readonly kinds: readonly PathExpression[];
  readonly clauses: readonly Clause[];
}
/** `answers Control { status = INVAL if reserved != 0; }`. */
export interface AnswersBlock extends Located {
  readonly kind: "answers";
  readonly documentation: Documentation;
  readonly message: Name;
  readonly clauses: readonly Clause[];
  readonly rules: readonly AnswerRule[];
}
