import type { FeatureModel } from "../../model/device-model.js";
import { code, joined, nothing, paragraphs, quoted, type Code } from "./code.js";
import { formulaContext } from "./codec-parameters.js";
import type { DeviceScope } from "./device-scope.js";
import { docComment } from "./doc-comment.js";
import { condition } from "./formulas.js";
import { runtimeType } from "./imports.js";

/** Feature bits by name. Legacy ones are left out: no modern device or driver negotiates them. */
export function featureDeclarations(scope: DeviceScope): Code {
  const name = featureTypeName(scope);
  const features = modernFeatures(scope);
  return code`/** Feature bits of the ${scope.device.name} device, by name. */
    export const ${name} = {
      ${features.map((feature) => code`${docComment({ doc: feature.doc, since: feature.since, until: feature.until }, ...notes(feature))}${feature.name}: ${feature.bit},`)}
    } as const;
    /** A feature of the ${scope.device.name} device. */
    export type ${name} = keyof typeof ${name};`;
}

export function featureTypeName(scope: DeviceScope): string {
  return `${scope.prefix}Feature`;
}

/** Type of a feature's name in options. */
export function featureNames(scope: DeviceScope): Code {
  const common = code`${runtimeType("CommonFeatureName")}`;
  return modernFeatures(scope).length === 0 ? common : code`(${featureTypeName(scope)} | ${common})`;
}

export function modernFeatures(scope: DeviceScope): readonly FeatureModel[] {
  return scope.device.features.filter((feature) => !feature.legacy);
}

function notes(feature: FeatureModel): string[] {
  const list: string[] = [];
  const clause = (choices: readonly (readonly string[])[]): string =>
    choices.map((choice) => choice.join(" or ")).join(", and ");
  if (feature.requires.length > 0) list.push(`Requires ${clause(feature.requires)}.`);
  if (feature.offers.length > 0) list.push(`A device that offers it offers ${clause(feature.offers)} too.`);
  if (feature.mandatory) list.push("Always offered and accepted.");
  if (feature.only !== null) list.push(`Only on ${feature.only}.`);
  return list;
}

/** The parts of a device's and a driver's definition that are about features. */
export function featureRules(scope: DeviceScope): Code {
  const features = modernFeatures(scope);
  const bits = (list: readonly string[]): Code =>
    joined(
      list.map((each) => bit(each, scope)),
      ", ",
    );
  const mandatory = features.filter((feature) => feature.mandatory).map((feature) => feature.name);
  const rules = scope.device.featureRules;
  const context = formulaContext(scope, scope.device.name, { features: () => code`features`, config: () => nothing });
  return paragraphs([
    features.every((feature) => feature.requires.length === 0)
      ? nothing
      : code`/** Features that need others. */
    const ${scope.constantPrefix}_REQUIRES: readonly ${runtimeType("FeatureRequirement")}[] = [
      ${requirements(features, (feature) => feature.requires, scope)}
    ];`,
    mandatory.length === 0
      ? nothing
      : code`/** Features that are always offered and accepted. */
        const ${scope.constantPrefix}_MANDATORY: readonly number[] = [${bits(mandatory)}];`,
    rules.length === 0
      ? nothing
      : code`/** What else the negotiated features must meet. */
        const ${scope.constantPrefix}_RULES: readonly ${runtimeType("FeatureRule")}[] = [
          ${rules.map((rule) => code`{ text: ${quoted(rule.condition)}, holds: (features) => ${condition(rule.conditionTree, context)} },`)}
        ];`,
  ]);
}

/** Properties of a definition object that refer to these. */
export function featureRuleProperties(scope: DeviceScope): Code {
  const mandatory = modernFeatures(scope).some((feature) => feature.mandatory);
  return code`features: ${featureTypeName(scope)},
    requires: ${modernFeatures(scope).every((feature) => feature.requires.length === 0) ? "[]" : `${scope.constantPrefix}_REQUIRES`},
    ${mandatory && code`mandatory: ${scope.constantPrefix}_MANDATORY,`}
    ${scope.device.featureRules.length > 0 && code`rules: ${scope.constantPrefix}_RULES,`}`;
}

/** What a device that offers a feature must offer too. */
export function offeredRequirements(scope: DeviceScope): Code {
  return code`[${requirements(modernFeatures(scope), (feature) => feature.offers, scope)}]`;
}

function requirements(
  features: readonly FeatureModel[],
  choices: (feature: FeatureModel) => readonly (readonly string[])[],
  scope: DeviceScope,
): Code[] {
  return features.flatMap((feature) =>
    choices(feature).map((choice) => {
      const anyOf = joined(
        choice.map((name) => bit(name, scope)),
        ", ",
      );
      return code`{ feature: ${bit(feature.name, scope)}, anyOf: [${anyOf}] },`;
    }),
  );
}

function bit(name: string, scope: DeviceScope): Code {
  return code`${featureTypeName(scope)}.${name}`;
}
