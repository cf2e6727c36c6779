import type {
  CounterDeclaration,
  Expression,
  LessonDeclaration,
  Name,
  ProtocolBlock,
  ProtocolEvent,
  StateDeclaration,
  TransitionDeclaration,
} from "../language/syntax-tree.js";
import { readClauses, type ClauseTable } from "./clauses.js";
import type {
  CounterModel,
  EventModel,
  Formula,
  LessonModel,
  ProtocolModel,
  StateModel,
  TransitionModel,
} from "./device-model.js";
import { reportUnknown } from "./facts.js";
import { resolveType } from "./field-types.js";
import { textOrNull } from "./formula-text.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileCondition, compileNumber } from "./formulas.js";
import {
  allHave,
  hasField,
  messageEnvironment,
  resolveEvent,
  type FoundMessage,
  type MessageContext,
} from "./protocol-messages.js";
import { upperPrefix } from "./spec-names.js";
import { originOf, type Encloser } from "./versions.js";

const sides = ["driver", "device"] as const;
/** Stands for all states. */
const anyState = "any";

interface Events {
  readonly models: readonly EventModel[];
  readonly found: readonly FoundMessage[];
}

interface Inside extends MessageContext {
  readonly block: ProtocolBlock;
  readonly encloser: Encloser;
  readonly states: ReadonlyMap<string, StateDeclaration>;
  readonly counters: ReadonlySet<string>;
  readonly key: readonly Name[] | null;
}

/** What holds over several messages: states and what leads from one to another, counters, what is learnt. */
export function protocolModels(context: MessageContext): readonly ProtocolModel[] {
  const names = new Map<string, ProtocolBlock>();
  return context.scope.protocols.flatMap((block) => {
    const { name } = block;
    if (name.text === "") return [];
    const first = names.get(name.text);
    if (first) {
      const labels = [{ span: first.name.span, message: "declared here first" }];
      context.facts.bag.report("duplicate-name", name.span, { what: "protocol", name: name.text }, { labels });
      return [];
    }
    names.set(name.text, block);
    return [protocolModel(block, context)];
  });
}

function protocolModel(block: ProtocolBlock, context: MessageContext): ProtocolModel {
  const { scope, facts } = context;
  const clauses = readClauses(block.clauses, "a protocol", facts.bag);
  const name = block.name.text;
  const origin = originOf(clauses, name, scope.encloser, facts.bag);
  const encloser: Encloser = { label: name, ...origin };
  const states = new Map<string, StateDeclaration>();
  const counters = new Set<string>();
  for (const member of block.members) {
    if (member.kind === "counter") counters.add(member.name.text);
    if (member.kind !== "state" || member.name.text === "") continue;
    const first = states.get(member.name.text);
    if (first) {
      const labels = [{ span: first.name.span, message: "declared here first" }];
      facts.bag.report("duplicate-name", member.name.span, { what: "state", name: member.name.text }, { labels });
    } else states.set(member.name.text, member);
  }
  const key = pathOf(clauses);
  const inside: Inside = { ...context, block, encloser, states, counters, key };
  const transitions = block.members.flatMap((member) =>
    member.kind === "transition" ? transitionModel(member, inside) : [],
  );
  const learns = block.members.flatMap((member) => (member.kind === "lesson" ? lessonModel(member, inside) : []));
  const counted = block.members.flatMap((member) => (member.kind === "counter" ? counterModel(member, inside) : []));
  if (states.size + counted.length + learns.length === 0 && block.members.length === 0) {
    const needed = "a state, a counter or something that it learns";
    facts.bag.report("missing-value", block.name.span, { what: "protocol", name, needed });
  }
  checkReachable(states, transitions, inside);
  const limit = clauses.expressions.get("where");
  const conditions = conditionOf(clauses, { facts, scope });
  const keyField = key?.at(-1)?.text;
  const limitTree =
    limit &&
    compileCondition(limit.expression, { facts, scope, parameters: new Set(keyField === undefined ? [] : [keyField]) });
  return {
    name,
    specName: name,
    doc: block.documentation.join("\n"),
    ...origin,
    key: key?.map(({ text }) => text) ?? null,
    by: sideOf(clauses, inside),
    ...conditions,
    limit: textOrNull(limitTree ?? null),
    limitTree: limitTree ?? null,
    states: [...states.values()].map((state) => stateModel(state, inside)),
    transitions,
    counters: counted,
    invariants: block.members.flatMap((member) => {
      if (member.kind !== "invariant") return [];
      const tree = compileCondition(member.condition, { facts, scope, parameters: counters });
      return tree === undefined
        ? []
        : [{ doc: member.documentation.join("\n"), condition: textOrNull(tree) ?? "", conditionTree: tree }];
    }),
    learns,
  };
}

function stateModel(state: StateDeclaration, { facts, encloser, scope }: Inside): StateModel {
  const clauses = readClauses(state.clauses, "a state", facts.bag);
  const name = state.name.text;
  const specName = clauses.names.get("as")?.name.text.replace("*", name) ?? `${upperPrefix(scope.naming)}${name}`;
  return { name, specName, doc: state.documentation.join("\n"), ...originOf(clauses, name, encloser, facts.bag) };
}

function transitionModel(declaration: TransitionDeclaration, inside: Inside): readonly TransitionModel[] {
  const { facts, encloser } = inside;
  const clauses = readClauses(declaration.clauses, "a transition", facts.bag);
  const events = resolveEvents(declaration.events, inside);
  const from = declaration.from.flatMap((state) => knownState(state, true, inside));
  const to = declaration.to && knownState(declaration.to, false, inside);
  const key = pathOf(clauses) ?? inside.key;
  checkKey(key, clauses.expressions.get("per")?.expression, events, inside);
  const by = sideOf(clauses, inside);
  if (events.models.length === 0) return [];
  return [
    {
      doc: declaration.documentation.join("\n"),
      ...originOf(clauses, "this step", encloser, facts.bag),
      events: events.models,
      by,
      key: key?.map(({ text }) => text) ?? null,
      ...conditionOf(clauses, environmentFor(events, by, inside)),
      from,
      to: to?.[0] ?? null,
    },
  ];
}

function counterModel(declaration: CounterDeclaration, inside: Inside): readonly CounterModel[] {
  const { facts, encloser, scope } = inside;
  const clauses = readClauses(declaration.clauses, "a counter", facts.bag);
  const events = resolveEvents(declaration.events, inside);
  const by = sideOf(clauses, inside);
  const environment = environmentFor(events, by, inside);
  const valueTree = compileNumber(declaration.value, environment);
  const name = declaration.name.text;
  if (declaration.type === undefined || name === "" || valueTree === undefined) return [];
  const type = resolveType(declaration.type, scope, facts);
  if (type.kind !== "scalar") {
    if (type.kind === "broken") return [];
    const { span, name: written } = declaration.type;
    facts.bag.report("wrong-kind", span, { name: written.text, expected: "an integer type", found: `a ${type.kind}` });
    return [];
  }
  return [
    {
      name,
      specName: name,
      doc: declaration.documentation.join("\n"),
      ...originOf(clauses, name, encloser, facts.bag),
      type: type.scalar,
      value: textOrNull(valueTree) ?? "",
      valueTree,
      events: events.models,
      by,
      ...conditionOf(clauses, environment),
    },
  ];
}

function lessonModel(declaration: LessonDeclaration, inside: Inside): readonly LessonModel[] {
  const events = resolveEvents(declaration.events, inside);
  for (const field of declaration.fields) {
    for (const { symbol } of events.found) hasField(symbol, [field], ["writable", "readable"], inside);
  }
  return [
    {
      doc: declaration.documentation.join("\n"),
      fields: declaration.fields.map(({ text }) => text),
      events: events.models,
    },
  ];
}

function resolveEvents(events: readonly ProtocolEvent[], inside: Inside): Events {
  const resolved = events.flatMap((event) => resolveEvent(event, inside) ?? []);
  return { models: resolved.map(({ model }) => model), found: resolved.flatMap(({ found }) => found ?? []) };
}

/**
 * Conditions and values see the fields of the message; of several, those of the first. What the device does shows in the
 * part that it writes.
 */
function environmentFor(events: Events, by: ProtocolModel["by"], inside: Inside): FormulaEnvironment {
  const { facts, scope, counters } = inside;
  const [first] = events.found;
  if (!first) return { facts, scope, parameters: counters };
  return messageEnvironment(first.symbol, inside, by === "device" ? "writable" : "readable", counters);
}

function checkKey(key: readonly Name[] | null, own: Expression | undefined, events: Events, inside: Inside): void {
  if (key === null || (own !== undefined && own.kind !== "path")) return;
  for (const found of events.found) requireField(key, found, inside);
}

function requireField(path: readonly Name[], found: FoundMessage, inside: Inside): void {
  const [first] = path;
  if (first === undefined || first.text === "") return;
  const environment = messageEnvironment(found.symbol, inside, "readable");
  if (environment.field?.(path) !== undefined && allHave(found, path)) return;
  reportUnknown(
    inside.facts,
    inside.scope,
    `field of ${found.symbol.name}`,
    first,
    () => environment.fieldNames?.() ?? [],
  );
}

function knownState(state: Name, anyAllowed: boolean, inside: Inside): readonly string[] {
  if (state.text === "") return [];
  if (inside.states.has(state.text) || (anyAllowed && state.text === anyState)) return [state.text];
  reportUnknown(inside.facts, inside.scope, `state of ${inside.block.name.text}`, state, () => inside.states.keys());
  return [];
}

function checkReachable(
  states: ReadonlyMap<string, StateDeclaration>,
  transitions: readonly TransitionModel[],
  { facts, block }: Inside,
): void {
  const [initial] = states.keys();
  // Where something is unknown, what follows from it would be said once more.
  if (initial === undefined || facts.bag.hasErrors) return;
  const targets = new Map<string, string[]>();
  for (const { from, to } of transitions) {
    if (to === null) continue;
    for (const state of from) targets.set(state, [...(targets.get(state) ?? []), to]);
  }
  const reached = new Set([initial]);
  const waiting = [initial, ...(targets.get(anyState) ?? [])];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    reached.add(state);
    waiting.push(...(targets.get(state) ?? []).filter((next) => !reached.has(next)));
  }
  for (const [name, state] of states) {
    if (!reached.has(name)) {
      facts.bag.report("unreachable-state", state.name.span, { name, protocol: block.name.text, initial });
    }
  }
}

function sideOf(clauses: ClauseTable, { facts, scope }: Inside): ProtocolModel["by"] {
  const clause = clauses.names.get("by");
  if (!clause) return null;
  const side = sides.find((known) => known === clause.name.text);
  if (side === undefined) reportUnknown(facts, scope, "side", clause.name, () => sides);
  return side ?? null;
}

/** What `per` names. */
export function pathOf(clauses: ClauseTable): readonly Name[] | null {
  const clause = clauses.expressions.get("per");
  return clause?.expression.kind === "path" ? clause.expression.segments : null;
}

/** `if C`, or `if "..."` where the condition is nothing that a message shows. */
export function conditionOf(
  clauses: ClauseTable,
  environment: FormulaEnvironment,
): {
  readonly condition: string | null;
  readonly conditionTree: Formula | null;
  readonly conditionText: string | null;
} {
  const clause = clauses.expressions.get("if");
  if (!clause) return { condition: null, conditionTree: null, conditionText: null };
  if (clause.expression.kind === "text") {
    return { condition: null, conditionTree: null, conditionText: clause.expression.value };
  }
  const tree = compileCondition(clause.expression, environment) ?? null;
  return { condition: textOrNull(tree), conditionTree: tree, conditionText: null };
}
