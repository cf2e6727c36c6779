/** A struct as C can say it: plain data between the model and the text. */

export type CMember = CField | CGroup;

interface Placed {
  /** Null for an anonymous struct or union. */
  readonly name: string | null;
  /** Bytes from the start of what encloses it. */
  readonly offset: number;
  /** In bytes; null for a flexible array. */
  readonly size: number | null;
  /** Lengths of the array, outermost first; null for a flexible one. */
  readonly dimensions: readonly (number | null)[];
  readonly comment: string;
}

export interface CField extends Placed {
  readonly kind: "field";
  /** `__le32`, `struct virtio_blk_geometry`. */
  readonly type: string;
  readonly name: string;
  /** Parts of the integer, from bit 0. */
  readonly bits: readonly CBits[];
}

export interface CBits {
  readonly name: string;
  readonly shift: number;
  readonly width: number;
  readonly comment: string;
}

/** A struct or union without a tag of its own. */
export interface CGroup extends Placed {
  readonly kind: "struct" | "union";
  readonly members: readonly CMember[];
}

export interface CStruct {
  readonly kind: "struct" | "union";
  readonly tag: string;
  readonly comment: string;
  readonly members: readonly CMember[];
  /** What `sizeof` gives: everything in front of a flexible array. */
  readonly size: number;
  /** What follows and has no fixed place, a line each. */
  readonly rest: readonly string[];
  /** Tags of other structs that it contains. */
  readonly uses: readonly string[];
}

/** A run of padding. */
export function padding(offset: number, size: number): CField {
  return {
    kind: "field",
    type: "__u8",
    name: `padding_at_${offset}`,
    offset,
    size,
    dimensions: [size],
    comment: "",
    bits: [],
  };
}

/** Where a list of members ends. A flexible array takes no room. */
export function endOf(members: readonly CMember[]): number {
  return Math.max(0, ...members.map(({ offset, size }) => offset + (size ?? 0)));
}

/** The members one after the other, with padding where the layout has holes. */
export function filled(members: readonly CMember[], from: number, to: number): readonly CMember[] {
  const result: CMember[] = [];
  let at = from;
  for (const member of members) {
    if (member.offset > at) result.push(padding(at, member.offset - at));
    result.push(member);
    at = member.offset + (member.size ?? 0);
  }
  if (to > at) result.push(padding(at, to - at));
  return result;
}
