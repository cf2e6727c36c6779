import type {
  FieldModel,
  MatchArmModel,
  MatchType,
  PatternModel,
  RequestModel,
  VariantModel,
} from "../../model/device-model.js";
import type { DeviceScope } from "./device-scope.js";

/**
 * A request in which a match over a tag is what it is in each variant: the variant says which arm it is. Where nothing is
 * selected, its bytes are reserved.
 */
export function withKnownMatches(request: RequestModel, scope: DeviceScope): RequestModel {
  return { ...request, variants: request.variants.map((variant) => knownVariant(variant, request, scope)) };
}

function knownVariant(variant: VariantModel, request: RequestModel, scope: DeviceScope): VariantModel {
  return { ...variant, readable: variant.readable.flatMap((field) => knownField(field, variant, request, scope)) };
}

function knownField(field: FieldModel, variant: VariantModel, request: RequestModel, scope: DeviceScope): FieldModel[] {
  const { type } = field;
  if (typeof type === "string" || !("match" in type)) return [field];
  const arm = knownArm(type, variant, request);
  if (arm === undefined) return [field];
  if (arm !== null && scope.requireStruct(arm.struct).fields.length > 0)
    return [{ ...field, type: { struct: arm.struct, arguments: arm.arguments } }];
  const size = field.sizedTree;
  if (size === null) return [];
  const length = size.op === "number" ? Number(size.value) : null;
  return [
    {
      ...field,
      type: {
        of: "u8",
        length: length ?? "",
        lengthTree: length === null ? size : null,
        unit: "elements",
        strideTree: null,
        endsTree: null,
      },
      size: length,
      sizedTree: null,
      reserved: true,
    },
  ];
}

/** The arm for all values of the variant's tag, null if there is none; undefined if that is not known. */
function knownArm(type: MatchType, variant: VariantModel, request: RequestModel): MatchArmModel | null | undefined {
  const subject = type.matchTree;
  if (subject.op !== "field" || subject.path.length !== 1) return undefined;
  const patternsIn = (each: VariantModel): readonly PatternModel[] | undefined =>
    each.tags.find((tag) => tag.field === subject.path[0])?.patterns;
  const patterns = patternsIn(variant);
  if (patterns === undefined) return undefined;
  if (patterns.length === 0) {
    // Any other value than those of the variants beside it.
    const others = request.variants.filter((each) => isBeside(each, variant, subject.path[0])).map(patternsIn);
    const isElsewhere = (pattern: PatternModel): boolean =>
      others.some((all) => all?.some((each) => each.low <= pattern.low && each.high >= pattern.high));
    const rest = type.arms.find((arm) => arm.patterns.length === 0) ?? null;
    return type.arms.every((arm) => arm.patterns.every(isElsewhere)) ? rest : undefined;
  }
  const arms = new Set(patterns.map((pattern) => armOf(type, pattern)));
  const [only] = arms;
  return arms.size === 1 ? only : undefined;
}

/** Has the other variant the same tags around this one, and the same condition? */
function isBeside(other: VariantModel, variant: VariantModel, tag: string | undefined): boolean {
  const around = (each: VariantModel): string =>
    JSON.stringify([each.conditionTree, each.tags.filter(({ field }) => field !== tag)]);
  return around(other) === around(variant);
}

function armOf(type: MatchType, wanted: PatternModel): MatchArmModel | null | undefined {
  const touching = type.arms.filter((arm) =>
    arm.patterns.some((pattern) => pattern.low <= wanted.high && pattern.high >= wanted.low),
  );
  const [arm, second] = touching;
  if (arm === undefined) return type.arms.find((each) => each.patterns.length === 0) ?? null;
  const isWhole = arm.patterns.some((pattern) => pattern.low <= wanted.low && pattern.high >= wanted.high);
  return second === undefined && isWhole ? arm : undefined;
}
