import type { StructModel } from "../../model/device-model.js";
import { layout } from "./layout.js";
import type { CStruct } from "./members.js";
import { tagName } from "./names.js";
import type { TypeScope } from "./scope.js";

/** A header ends after the last field that was negotiated: a struct for each length but the full one. */
export function headerPrefixes(struct: StructModel, scope: TypeScope): readonly CStruct[] {
  if (struct.kind !== "header") return [];
  const ends = new Map<number, Set<string>>([[struct.minSize, new Set()]]);
  for (const { offset, size, condition } of struct.fields) {
    if (offset === null || size === null || condition === null) continue;
    const end = offset + size;
    ends.set(end, (ends.get(end) ?? new Set()).add(condition));
  }
  const tag = tagName(struct);
  return [...ends]
    .filter(([end]) => end !== struct.size && end > 0)
    .filter(
      ([end]) => !struct.fields.some(({ offset, size }) => (offset ?? 0) < end && (offset ?? 0) + (size ?? 0) > end),
    )
    .filter(([end, conditions]) => end === struct.minSize || isLastOf(struct, end, conditions))
    .sort(([a], [b]) => a - b)
    .map(([end, conditions]) => {
      const fields = struct.fields.filter(({ offset, size }) => offset !== null && offset + (size ?? 0) <= end);
      const why = conditions.size === 0 ? "nothing that makes it longer" : [...conditions].join(", or ");
      const comment = `struct ${tag} with ${why}: ${end} bytes.`;
      return layout({ tag: `${tag}_${end}`, comment, kind: "struct", fields, size: end }, scope);
    });
}

/** A header never ends between two fields of the same condition. */
function isLastOf({ fields }: StructModel, end: number, conditions: ReadonlySet<string>): boolean {
  return [...conditions].some((condition) =>
    fields.every((field) => field.condition !== condition || (field.offset ?? 0) + (field.size ?? 0) <= end),
  );
}
