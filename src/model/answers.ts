import type { AnswerRule, AnswersBlock, Expression, Name, PathExpression } from "../language/syntax-tree.js";
import { readClauses, type ClauseTable } from "./clauses.js";
import type { AnswerRuleModel, AnswersModel, VariantModel } from "./device-model.js";
import { reportUnknown } from "./facts.js";
import { failureValue, type FailureRuleContext } from "./failure-rules.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileNumber } from "./formulas.js";
import {
  hasField,
  kindsOf,
  messageEnvironment,
  resolveMessage,
  type FoundMessage,
  type MessageContext,
} from "./protocol-messages.js";
import { conditionOf, pathOf } from "./protocols.js";
import { originOf, type Encloser } from "./versions.js";

const usedMeanings = ["exact", "ignored", "zero"] as const;
const shortMeanings = ["zeros", "cut"] as const;

type Failures = Pick<FailureRuleContext, "given" | "isBroken">;

interface Answered extends MessageContext {
  readonly found: FoundMessage;
  /** What is answered: a name that both parts have is the answer's. */
  readonly environment: FormulaEnvironment;
  /** What is asked: a name that both parts have is the request's. */
  readonly asked: FormulaEnvironment;
  readonly encloser: Encloser;
}
type Inside = Answered & Failures;

/** Which answers belong to which requests. */
export function answersModels(context: MessageContext): readonly AnswersModel[] {
  const failures: Failures = { given: new Map(), isBroken: context.facts.bag.hasErrors };
  return context.scope.answers.flatMap((block) => answersModel(block, failures, context));
}

function answersModel(block: AnswersBlock, failures: Failures, context: MessageContext): readonly AnswersModel[] {
  const { scope, facts } = context;
  const clauses = readClauses(block.clauses, "answers", facts.bag);
  const path: PathExpression = { kind: "path", segments: [block.message], span: block.message.span };
  const found = resolveMessage(path, context);
  if (!found) return [];
  const { name } = found.symbol;
  const origin = originOf(clauses, name, scope.encloser, facts.bag);
  const environment = messageEnvironment(found.symbol, context, "writable");
  const asked = messageEnvironment(found.symbol, context, "readable");
  const inside: Inside = { ...context, found, environment, asked, encloser: { label: name, ...origin }, ...failures };
  const doc = block.documentation.join("\n");
  return [{ message: name, doc, ...origin, rules: block.rules.flatMap((rule) => ruleModel(rule, inside)) }];
}

function ruleModel(rule: AnswerRule, inside: Inside): readonly AnswerRuleModel[] {
  const { facts, encloser, environment, asked, found, requests } = inside;
  const holder = rule.verb === "failed" ? "a rule for failures" : "a rule for answers";
  const clauses = readClauses(rule.clauses, holder, facts.bag);
  const variants = requests.find(({ name }) => name === found.symbol.name)?.variants ?? [];
  const kinds = rule.kinds.map(({ segments }) => kindsOf(segments, found.symbol, variants, inside));
  const known = kinds.flatMap((kind) => kind ?? []);
  const isKnown = kinds.every((kind) => kind !== undefined);
  // What a failure sets depends on the kinds of the request.
  const content = isKnown || rule.verb !== "failed" ? contentOf(rule, known, clauses, inside) : undefined;
  if (content === undefined || !isKnown) return [];
  const per = pathOf(clauses);
  if (per) requireField(per, inside, asked);
  return [
    {
      doc: rule.documentation.join("\n"),
      ...originOf(clauses, "this rule", encloser, facts.bag),
      strength: rule.strength,
      verb: rule.verb,
      ...content,
      kinds: rule.kinds.map(({ segments }) => segments.map(({ text }) => text).join(".")),
      variants: [...new Set(known.map(({ name }) => name))],
      ...conditionOf(clauses, rule.verb === "only" ? environment : asked),
      per: per?.map(({ text }) => text) ?? null,
    },
  ];
}

type Content = Pick<AnswerRuleModel, "field" | "value" | "valueTree" | "meaning" | "source">;
const noContent: Content = { field: null, value: null, valueTree: null, meaning: null, source: null };

function contentOf(
  rule: AnswerRule,
  kinds: readonly VariantModel[],
  clauses: ClauseTable,
  inside: Inside,
): Content | undefined {
  const { target, value } = rule;
  switch (rule.verb) {
    case "status":
      return target && value ? assigned(rule, target, inside) : incomplete(rule, "a field and a value", inside);
    case "echo": {
      if (!target || value?.kind !== "path") return incomplete(rule, "two fields, as in `echo answer.id = id`", inside);
      if (!requireField(target.segments, inside) || !requireField(value.segments, inside, inside.asked))
        return undefined;
      return { ...noContent, field: texts(target.segments), source: texts(value.segments) };
    }
    case "used":
      return target && !value
        ? meaning(target, usedMeanings, inside)
        : incomplete(rule, "`exact`, `ignored` or `zero`", inside);
    case "short": {
      if (!target || !value) return incomplete(rule, "what happens, as in `short writable = cut`", inside);
      const [stream] = target.segments;
      if (target.segments.length > 1 || (stream?.text !== "readable" && stream?.text !== "writable")) {
        return assigned(rule, target, inside);
      }
      if (value.kind !== "path") return incomplete(rule, "`zeros` or `cut`", inside);
      const what = meaning(value, shortMeanings, inside);
      return what && { ...what, field: [stream.text] };
    }
    case "only":
      if (!target || value || !clauses.expressions.has("if")) return incomplete(rule, "a field and an `if`", inside);
      return hasField(inside.found.symbol, target.segments, ["writable"], inside)
        ? { ...noContent, field: texts(target.segments) }
        : undefined;
    case "failed": {
      if (!target || !value) return incomplete(rule, "a field and a value, as in `failed status = IOERR`", inside);
      const valueTree = failureValue({ ...rule, target }, kinds, inside);
      if (valueTree === undefined) return undefined;
      return { ...noContent, field: texts(target.segments), value: sourceText(value), valueTree };
    }
    case "late":
    case "ordered":
      return target || value ? incomplete(rule, "no field", inside) : noContent;
  }
}

function incomplete(rule: AnswerRule, needed: string, { facts }: Inside): Content | undefined {
  const verb = rule.verb === "status" ? "answer" : rule.verb;
  facts.bag.report("missing-value", rule.span, { what: "rule", name: verb, needed });
  return undefined;
}

/** `field = value`, where the value may be a member of the field's enum. */
function assigned(rule: AnswerRule, target: PathExpression, inside: Inside): Content | undefined {
  const { value } = rule;
  const answer = requireField(target.segments, inside);
  if (!answer || !value) return undefined;
  const valueTree = compileNumber(value, { ...inside.asked, expected: answer.enum });
  if (valueTree === undefined) return undefined;
  return { ...noContent, field: texts(target.segments), value: sourceText(value), valueTree };
}

function sourceText({ span }: Expression): string {
  return span.source.text.slice(span.start, span.end);
}

function meaning(
  path: PathExpression,
  known: readonly ("exact" | "ignored" | "zero" | "zeros" | "cut")[],
  { facts, scope }: Inside,
): Content | undefined {
  const [name] = path.segments;
  const found = path.segments.length === 1 ? known.find((one) => one === name?.text) : undefined;
  if (found === undefined && name) reportUnknown(facts, scope, "rule", name, () => known);
  return found && { ...noContent, meaning: found };
}

function requireField(
  path: readonly Name[],
  { environment: answered, facts, scope, found }: Inside,
  environment: FormulaEnvironment = answered,
) {
  const [first] = path;
  if (first === undefined || first.text === "") return undefined;
  const answer = environment.field?.(path);
  if (answer) return answer.formula === undefined ? undefined : answer;
  reportUnknown(facts, scope, `field of ${found.symbol.name}`, first, () => environment.fieldNames?.() ?? []);
  return undefined;
}

function texts(path: readonly Name[]): readonly string[] {
  return path.map(({ text }) => text);
}
