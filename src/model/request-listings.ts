import type { FieldModel, VariantModel } from "./device-model.js";
import { fieldsOf } from "./field-paths.js";
import type { Listing, StreamField } from "./message-structs.js";
import type { ReplyPath, RequestPath, StructSpan } from "./request-path.js";
import type { StructMember } from "../language/syntax-tree.js";
import type { Origin } from "./versions.js";

/** A variant with the way through the request that it comes from. */
export interface ListedVariant {
  readonly model: VariantModel;
  readonly path: RequestPath;
}

interface Streams {
  readonly variant: ListedVariant;
  readonly readable: readonly StreamField[];
  readonly replies: readonly { readonly path: ReplyPath; readonly writable: readonly StreamField[] }[];
}

/**
 * What the specification calls the messages of a request, and what is in them. A name of a stream stands for that stream;
 * a name of a variant or of the request for both, or for what the device reads if what it writes has a name of its own.
 */
export function requestListings(options: {
  readonly request: string;
  /** Null if the specification has no name for it. */
  readonly specName: string | null;
  readonly doc: string;
  readonly origin: Origin;
  readonly variants: readonly ListedVariant[];
}): readonly Listing[] {
  const { request, specName, doc, origin } = options;
  const all = options.variants.map(streamsOf);
  const listings: Listing[] = [];
  if (specName !== null) {
    const named = all.filter(({ variant }) => variant.model.specName === null);
    const known = all.filter(
      ({ variant: { path } }) => path.unknownAt.readable === null && path.unknownAt.writable === null,
    );
    const plain = known.filter((streams) => named.includes(streams));
    const chosen = plain.length > 0 ? plain : known.length > 0 ? known : all;
    const readableOnly = all.some((streams) => hasNamedReply(streams));
    for (const streams of chosen)
      listings.push(...wholeListings(streams, { request, specName, doc, origin, readableOnly }));
  }
  for (const streams of all) {
    const { model, path } = streams.variant;
    const own = { since: model.since, until: path.encloser.until, spec: model.spec };
    if (model.specName !== null) {
      const readableOnly = hasNamedReply(streams);
      const named = { request, specName: model.specName, doc: model.doc, origin: own, readableOnly };
      listings.push(...wholeListings(streams, named));
    }
    const shared = { request, variant: model.name };
    if (path.readableName) {
      const { specName: name, spec } = path.readableName;
      const names = { specName: name, doc: model.doc, origin: { ...own, spec } };
      const readable = upTo(path.readableName.to, streams.readable, path.readable);
      listings.push({ ...shared, ...names, streams: "readable", readable, writable: [] });
    }
    for (const { path: reply, writable } of streams.replies) {
      if (!reply.streamName) continue;
      const { specName: name, spec } = reply.streamName;
      const { since, until } = reply.encloser ?? path.encloser;
      const names = { specName: name, doc: reply.doc, origin: { since, until, spec } };
      const named = upTo(reply.streamName.to, writable, reply.members);
      listings.push({ ...shared, ...names, streams: "writable", readable: [], writable: named });
    }
  }
  return listings;
}

/** The fields of the first members of a stream. */
function upTo(
  count: number | null,
  fields: readonly StreamField[],
  members: readonly StructMember[],
): readonly StreamField[] {
  if (count === null || count >= members.length) return fields;
  const later = fieldsOf(members.slice(count));
  const end = fields.findIndex(({ field }) => later.has(field.name));
  return end < 0 ? fields : fields.slice(0, end);
}

function hasNamedReply({ replies }: Streams): boolean {
  return replies.some(({ path }) => path.streamName !== null);
}

function wholeListings(
  streams: Streams,
  named: Pick<Listing, "request" | "specName" | "doc" | "origin"> & { readonly readableOnly: boolean },
): readonly Listing[] {
  const { readableOnly, ...names } = named;
  const shared = { ...names, variant: streams.variant.model.name, readable: streams.readable };
  if (readableOnly) return [{ ...shared, streams: "readable", writable: [] }];
  return streams.replies.map(({ writable }) => ({ ...shared, streams: "both", writable }));
}

function streamsOf(variant: ListedVariant): Streams {
  const { model, path } = variant;
  return {
    variant,
    readable: withStructs(model.readable, path.readable, path.structs),
    replies: path.replies.map((reply, index) => ({
      path: reply,
      writable: withStructs(model.replies[index]?.writable ?? [], reply.members, reply.structs),
    })),
  };
}

function withStructs(
  fields: readonly FieldModel[],
  members: readonly StructMember[],
  spans: readonly StructSpan[],
): readonly StreamField[] {
  if (spans.length === 0) return fields.map((field) => ({ field, within: [] }));
  const names = spans.map(({ from, to }) => fieldsOf(members.slice(from, to ?? members.length)));
  return fields.map((field) => ({ field, within: spans.filter((_, index) => names[index]?.has(field.name) === true) }));
}
