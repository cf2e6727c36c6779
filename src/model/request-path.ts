import type { Span } from "../diagnostics/source.js";
import type { StructMember, StructPart } from "../language/syntax-tree.js";
import type { Formula } from "./device-model.js";
import type { Tag } from "./request-tags.js";
import type { Encloser } from "./versions.js";

/** A struct of the specification that a stream is, from its start on. */
export interface StreamName {
  readonly specName: string;
  /** How many members belong to it; null for all of them. */
  readonly to: number | null;
  readonly spec: string | null;
}

/** Which members of a stream belong to a struct that lies in both streams. Outer structs come before inner ones. */
export interface StructSpan {
  readonly part: StructPart;
  readonly encloser: Encloser;
  readonly from: number;
  /** Null while the path is still inside. */
  readonly to: number | null;
}

/** One way to take a reply. */
export interface ReplyPath {
  readonly names: readonly string[];
  readonly ownName: string | null;
  readonly streamName: StreamName | null;
  readonly doc: string;
  /** Null: that of the request's path. */
  readonly encloser: Encloser | null;
  readonly tags: readonly Tag[];
  readonly condition: Formula | null;
  readonly members: readonly StructMember[];
  readonly structs: readonly StructSpan[];
}

/** One way through the parts of a request. */
export interface RequestPath {
  readonly names: readonly string[];
  readonly ownName: string | null;
  readonly specName: string | null;
  readonly doc: string;
  readonly encloser: Encloser;
  readonly tags: readonly Tag[];
  readonly condition: Formula | null;
  readonly readable: readonly StructMember[];
  readonly readableName: StreamName | null;
  readonly structs: readonly StructSpan[];
  readonly replies: readonly ReplyPath[];
  /** Where the first writable part stands. */
  readonly writableAt: Span | null;
  /** Where no arm says what else there is: how many members come before that. Null where nothing is missing. */
  readonly unknownAt: { readonly readable: number | null; readonly writable: number | null };
}
