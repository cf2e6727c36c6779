import type { FieldModel, PatternModel } from "../../model/device-model.js";
import { code, isNothing, nothing, quoted, type Code } from "./code.js";
import { codecArguments } from "./codec-parameters.js";
import { memberOf } from "./enums.js";
import { count, type FormulaContext } from "./formulas.js";
import type { ReadSite, ReadValue } from "./read-values.js";
import type { ArmShape, Shape } from "./shapes.js";
import { isOptional, matchTypeName, patternKind, shortName } from "./struct-types.js";

/** Reads the struct that the subject selects; `undefined` where nothing belongs to it. */
export function readMatch(
  shape: Shape & { kind: "match" },
  field: FieldModel,
  site: ReadSite,
  name: string,
): ReadValue {
  const { context, reader } = site;
  const result = site.fresh(name);
  const type = matchTypeName(context.owner, field);
  const optional = isOptional(field, shape);
  const { setup, tag, label } = matchSubject(shape, site.formulas, (name) => site.fresh(name));
  const cases: Code[] = [];
  const ranges: Code[] = [];
  let otherwise: Code | undefined;
  for (const arm of shape.arms) {
    const read = (kind: Code): Code => {
      if (arm.struct.fields.length === 0) return code``;
      const codec = `read${context.scope.typeName(arm.struct)}`;
      const inner = { ...context, formulas: site.formulas };
      return code`${result} = { kind: ${kind}, ...${codec}(${reader}${codecArguments(arm.struct, arm.model.arguments, inner)}) };`;
    };
    if (arm.model.patterns.length === 0) {
      otherwise = read(quoted("default"));
      continue;
    }
    for (const pattern of arm.model.patterns) {
      if (pattern.low !== pattern.high) {
        ranges.push(code`if (${tag} >= ${pattern.low} && ${tag} <= ${pattern.high}) { ${read(patternKind(pattern))} }`);
        continue;
      }
      const kind = patternKind(pattern);
      cases.push(code`case ${label(pattern)}: ${note(arm, pattern.name)}${read(kind)} break;`);
    }
  }
  const fallback = chain(ranges, otherwise);
  return {
    setup: [
      code`let ${result}: ${type}${optional ? " | undefined" : ""};`,
      setup,
      code`switch (${tag}) { ${cases} default: ${fallback} break; }`,
    ],
    value: code`${result}`,
    variable: result,
  };
}

function note(arm: ArmShape, name: string | null): string {
  return arm.struct.fields.length === 0 && name !== null ? `// ${shortName(name)}: nothing follows\n` : "";
}

/** One range after the other, and what there is for no range. */
export function chain(ranges: readonly Code[], otherwise: Code | undefined): Code {
  if (ranges.length === 0) return otherwise ?? nothing;
  let result = otherwise === undefined || isNothing(otherwise) ? undefined : code`{ ${otherwise} }`;
  for (const range of [...ranges].reverse()) result = result === undefined ? range : code`${range} else ${result}`;
  return result ?? code``;
}

/**
 * What a match switches on: the name of an enum's member if there is one for every pattern, otherwise the number; in a variable
 * that `setup` makes, if ranges look at it, too.
 */
export function matchSubject(
  shape: Shape & { kind: "match" },
  formulas: FormulaContext,
  fresh: (name: string) => string,
): { readonly setup: Code; readonly tag: Code; readonly label: (pattern: PatternModel) => Code } {
  const { subject } = shape;
  const named = subject.op === "field" ? formulas.member?.(subject.scope, subject.path) : undefined;
  const byNumber = (pattern: PatternModel): Code => code`${pattern.low}`;
  if (shape.arms.some((arm) => arm.model.patterns.some(({ low, high }) => low !== high))) {
    const tag = code`${fresh("tag")}`;
    return { setup: code`const ${tag} = ${count(subject, formulas)};`, tag, label: byNumber };
  }
  if (named === undefined) return { setup: code``, tag: count(subject, formulas), label: byNumber };
  const label = (pattern: PatternModel): Code => {
    const member = memberOf(named.enum, pattern.low);
    return member === undefined ? code`${pattern.low}` : quoted(member.name);
  };
  return { setup: code``, tag: named.code, label };
}
