/** Offset and size in bytes, null where they vary; for bit-fields those of the container, then shift and width. */
export type ExpectedField =
  | readonly [offset: number | null, size: number | null]
  | readonly [offset: number | null, size: number | null, shift: number, width: number];

export interface ExpectedStruct {
  /** First release that has it. */
  readonly since: string;
  /** Section that defines it. */
  readonly spec: string;
  readonly size: number | null;
  /** By path: members of nested structs too, those of arrays not. */
  readonly fields: Readonly<Record<string, ExpectedField>>;
}

/** What a chapter defines, under the names that it uses. */
export interface ExpectedShared {
  readonly structs: Readonly<Record<string, ExpectedStruct>>;
  readonly constants: Readonly<Record<string, number>>;
  /** Features and constants that 1.0 does not have, by the first release that has their number. */
  readonly newer: Readonly<Record<string, readonly string[]>>;
}

export interface ExpectedDevice extends ExpectedShared {
  readonly id: number;
  /** Bit by name. */
  readonly features: Readonly<Record<string, number>>;
  readonly legacyFeatures: Readonly<Record<string, number>>;
  /** And of ors, in short names. */
  readonly requires: Readonly<Record<string, readonly (readonly string[])[]>>;
}
