import type { AnswerRuleModel, AnswersModel, RequestModel, VariantModel } from "./device-model.js";
import type { Facts } from "./facts.js";
import { constantOf } from "./formula-values.js";
import { failureRules, findInAnswer, isFor, usualField, type ModelTypes } from "./request-failures.js";
import { findTypes, type Scope } from "./symbols.js";

/**
 * Tells of requests whose `failed` rules are for some of their kinds only, though the answers to others have a status, too: a
 * driver gets 0 bytes for those, without a word of it in the definition.
 */
export function reportFailureGaps(
  requests: readonly RequestModel[],
  answers: readonly AnswersModel[],
  types: ModelTypes,
  scope: Scope,
  { bag }: Facts,
): void {
  // What a broken rule is for is not known.
  if (bag.hasErrors) return;
  for (const request of requests) {
    const rules = failureRules(request, answers);
    if (rules.length === 0) continue;
    const isSet = (variant: VariantModel): boolean =>
      rules.some((rule) => isFor(rule, variant) && sets(rule, variant, types));
    const silent = request.variants.filter((variant) => isDescribed(variant) && !isSet(variant));
    const missing = silent.flatMap((variant) => {
      const assignment = possible(variant, rules, types);
      return assignment === undefined ? [] : [{ name: nameOf(variant), assignment }];
    });
    const [first] = missing;
    const rule = firstRule(request, scope);
    if (first === undefined || rule === undefined) continue;
    const [from] = rule.kinds;
    const span = from === undefined ? rule.span : { ...from.span, end: rule.kinds.at(-1)?.span.end ?? from.span.end };
    const kinds = missing.map(({ name }) => name).join(", ");
    const example = `add a rule such as \`failed ${first.assignment} for ${first.name};\``;
    const help = from === undefined ? example : `name them after \`for\`, or ${example}`;
    bag.report("failure-missing", span, { kinds, request: request.name }, { help });
  }
}

function sets({ field }: AnswerRuleModel, variant: VariantModel, types: ModelTypes): boolean {
  const place = field === null ? undefined : findInAnswer(field, variant, types);
  return place !== undefined && !("reason" in place);
}

/** What a failure of a kind could say: what one of the rules sets elsewhere, or a status. */
function possible(variant: VariantModel, rules: readonly AnswerRuleModel[], types: ModelTypes): string | undefined {
  const rule = rules.find((each) => sets(each, variant, types));
  if (rule !== undefined) return `${rule.field?.join(".") ?? ""} = ${rule.value ?? ""}`;
  const [usual] = usualField(variant, types);
  if (usual === undefined) return undefined;
  const value = constantOf(usual.valueTree);
  const members = usual.place.enum === null ? [] : (types.enum(usual.place.enum)?.members ?? []);
  const member = members.find((each) => each.last === null && BigInt(each.value) === value);
  return `${usual.path.join(".")} = ${member?.name ?? String(value)}`;
}

/** As it can stand after `for`. */
function nameOf({ name, tags }: VariantModel): string {
  const [tag, ...others] = tags;
  const names = (tag?.patterns ?? []).flatMap((pattern) => pattern.name ?? []);
  return others.length === 0 && names.length > 0 && names.length === tag?.patterns.length ? names.join(", ") : name;
}

/** A kind that the definition has an arm for in every match. */
function isDescribed({ tags }: VariantModel): boolean {
  return tags.every(({ patterns }) => patterns.length > 0);
}

function firstRule(request: RequestModel, scope: Scope) {
  return scope.answers
    .filter(({ message }) => findTypes(scope, message.text)[0]?.name === request.name)
    .flatMap(({ rules }) => rules)
    .find(({ verb }) => verb === "failed");
}
