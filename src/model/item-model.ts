/** A release of the specification that brought an item, such as `1.2`. */
export type SpecVersion = string;

/** What every item carries. */
export interface ItemModel {
  /** Name in the definition. */
  readonly name: string;
  /** The exact identifier that the specification uses. */
  readonly specName: string;
  readonly doc: string;
  readonly since: SpecVersion;
  /** The last release that has it. */
  readonly until: SpecVersion | null;
  /** Section of the specification, if the definition or what encloses it gives one. */
  readonly spec: string | null;
}
