import type { Span } from "../diagnostics/source.js";
import type {
  ConditionalFields,
  ConditionalPart,
  MatchPart,
  RequestPart,
  StreamPart,
  StructMember,
  StructPart,
} from "../language/syntax-tree.js";
import type { Formula } from "./device-model.js";
import { readClauses } from "./clauses.js";
import type { Facts } from "./facts.js";
import { bothConditions, notFormula } from "./formula-building.js";
import { compileCondition } from "./formulas.js";
import { armName, checkArms, type CheckedArm } from "./match-arms.js";
import type { ReplyPath, RequestPath, StructSpan } from "./request-path.js";
import { remainingTag, withTag, type Tag } from "./request-tags.js";
import { isSpecStyle } from "./spec-names.js";
import type { RequestSymbol } from "./symbols.js";
import { environmentAt, subjectOf, takenArms, type Subject, type Walk } from "./request-walk.js";
import { originOf, type Encloser } from "./versions.js";

/** Fields that matches look at, with the place of the first such match. */
export type SubjectSpans = ReadonlyMap<string, Span>;

const mostPaths = 4096;

const emptyReply: ReplyPath = {
  names: [],
  ownName: null,
  streamName: null,
  doc: "",
  encloser: null,
  tags: [],
  condition: null,
  members: [],
  structs: [],
};

const described: RequestPath["unknownAt"] = { readable: null, writable: null };

/** All ways through a request. Matches in a row and in each other multiply; a tag that is known selects its arm. */
export function requestPaths(
  request: RequestSymbol,
  encloser: Encloser,
  facts: Facts,
): { readonly paths: readonly RequestPath[]; readonly subjects: SubjectSpans } {
  const walk: Walk = { facts, request, subjects: new Map(), arms: new Map(), tooMany: false };
  const start: RequestPath = {
    names: [],
    ownName: null,
    specName: null,
    doc: "",
    encloser,
    tags: [],
    condition: null,
    readable: [],
    readableName: null,
    structs: [],
    replies: [emptyReply],
    writableAt: null,
    unknownAt: described,
  };
  const paths = throughParts(request.declaration.parts, [start], walk);
  for (const [arm, { reached, subject }] of walk.arms) {
    const [first] = arm.patterns;
    if (reached || !first) continue;
    const pattern = first.span.source.text.slice(first.span.start, first.span.end);
    facts.bag.report("unreachable-arm", first.span, { pattern, subject });
  }
  return { paths, subjects: walk.subjects };
}

function throughParts(parts: readonly RequestPart[], from: readonly RequestPath[], walk: Walk): readonly RequestPath[] {
  let paths = from;
  for (const part of parts) {
    switch (part.kind) {
      case "stream":
        paths = paths.map((path) => withStream(path, part, walk));
        break;
      case "match-part":
        paths = paths.flatMap((path) => throughMatch(part, path, walk));
        break;
      case "conditional-part":
        paths = paths.flatMap((path) => throughCondition(part, path, walk));
        break;
      case "struct-part":
        paths = paths.flatMap((path) => throughStruct(part, path, walk));
        break;
    }
    if (paths.length <= mostPaths) continue;
    if (!walk.tooMany) {
      const { name, span } = walk.request;
      walk.facts.bag.report("too-many-variants", span, { name, limit: mostPaths });
    }
    walk.tooMany = true;
    paths = paths.slice(0, 1);
  }
  return paths;
}

function withStream(path: RequestPath, part: StreamPart, walk: Walk): RequestPath {
  const clauses = readClauses(part.clauses, "a stream", walk.facts.bag);
  const specName = clauses.names.get("as")?.name.text;
  if (part.members.length === 0 && specName === undefined) return path;
  checkDirection(path.writableAt, part, walk);
  const end = withMembers(path, part.direction, part.members, part.span);
  if (specName === undefined) return end;
  const own = clauses.texts.get("spec")?.text;
  if (part.direction === "readable") {
    return { ...end, readableName: { specName, to: end.readable.length, spec: own ?? path.encloser.spec } };
  }
  const named = (reply: ReplyPath): ReplyPath => {
    const { spec } = reply.encloser ?? path.encloser;
    return { ...reply, streamName: { specName, to: reply.members.length, spec: own ?? spec } };
  };
  return { ...end, replies: end.replies.map(named) };
}

/** A struct in both streams: its parts are parts of the request, and it is noted which they are. */
function throughStruct(part: StructPart, path: RequestPath, walk: Walk): readonly RequestPath[] {
  const { bag } = walk.facts;
  const clauses = readClauses(part.clauses, "a struct in a request", bag);
  const origin = originOf(clauses, part.name.text, path.encloser, bag);
  const encloser: Encloser = { label: part.name.text, ...origin };
  const open = (members: readonly StructMember[]): StructSpan => ({ part, encloser, from: members.length, to: null });
  const close = (structs: readonly StructSpan[], members: readonly StructMember[]): readonly StructSpan[] =>
    structs.map((span) => (span.part === part && span.to === null ? { ...span, to: members.length } : span));
  const inside: RequestPath = {
    ...path,
    structs: [...path.structs, open(path.readable)],
    replies: path.replies.map((reply) => ({ ...reply, structs: [...reply.structs, open(reply.members)] })),
  };
  return throughParts(part.parts, [inside], walk).map((end) => ({
    ...end,
    structs: close(end.structs, end.readable),
    replies: end.replies.map((reply) => ({ ...reply, structs: close(reply.structs, reply.members) })),
  }));
}

function checkDirection(writableAt: Span | null, part: StreamPart, walk: Walk): void {
  if (part.direction !== "readable" || writableAt === null || part.members.length === 0) return;
  const labels = [{ span: writableAt, message: "the writable part begins here" }];
  walk.facts.bag.report("readable-after-writable", part.span, {}, { labels });
}

function withMembers(
  path: RequestPath,
  direction: "readable" | "writable",
  members: readonly StructMember[],
  span: Span,
): RequestPath {
  if (direction === "readable") return { ...path, readable: [...path.readable, ...members] };
  const replies = path.replies.map((reply) => ({ ...reply, members: [...reply.members, ...members] }));
  return { ...path, replies, writableAt: path.writableAt ?? span };
}

// ---- if ----

function throughCondition(part: ConditionalPart, path: RequestPath, walk: Walk): readonly RequestPath[] {
  if ([...part.whenTrue, ...part.whenFalse].every((inner) => inner.kind === "stream" && inner.clauses.length === 0)) {
    return [withConditionalStreams(part, path, walk)];
  }
  const condition = compileCondition(part.condition, environmentAt(path, walk));
  const branch = (parts: readonly RequestPart[], own: Formula | undefined): readonly RequestPath[] =>
    throughParts(parts, [{ ...path, condition: bothConditions(path.condition, own ?? null) }], walk);
  return [...branch(part.whenTrue, condition), ...branch(part.whenFalse, condition && notFormula(condition))];
}

/** No variants of their own: fields that are there or not. */
function withConditionalStreams(part: ConditionalPart, path: RequestPath, walk: Walk): RequestPath {
  const { condition, span } = part;
  for (const branch of [part.whenTrue, part.whenFalse]) {
    let writableAt = path.writableAt;
    for (const inner of branch) {
      if (inner.kind !== "stream") continue;
      checkDirection(writableAt, inner, walk);
      if (inner.direction === "writable" && inner.members.length > 0) writableAt ??= inner.span;
    }
  }
  let result = path;
  for (const direction of ["readable", "writable"] as const) {
    const membersOf = (branch: readonly RequestPart[]): StructMember[] =>
      branch.flatMap((inner) => (inner.kind === "stream" && inner.direction === direction ? inner.members : []));
    const whenTrue = membersOf(part.whenTrue);
    const whenFalse = membersOf(part.whenFalse);
    if (whenTrue.length + whenFalse.length === 0) continue;
    const block: ConditionalFields = { kind: "conditional-fields", condition, whenTrue, whenFalse, span };
    result = withMembers(result, direction, [block], span);
  }
  return result;
}

// ---- match ----

function throughMatch(part: MatchPart, path: RequestPath, walk: Walk): readonly RequestPath[] {
  const subject = subjectOf(part.subject, path, walk);
  if (!subject) return [path];
  const arms = checkArms(part.subject, part.arms, subject.environment, subject.highest);
  for (const { arm } of arms) {
    if (!walk.arms.has(arm)) walk.arms.set(arm, { reached: false, subject: subject.field });
  }
  return subject.writable ? [throughReplies(arms, subject, path, walk)] : throughArms(arms, subject, path, walk);
}

function throughArms(
  arms: readonly CheckedArm<RequestPart>[],
  subject: Subject,
  path: RequestPath,
  walk: Walk,
): readonly RequestPath[] {
  const known = path.tags.find((tag) => tag.field === subject.field);
  const { taken, left } = takenArms(arms, subject, known, walk);
  const results: RequestPath[] = [];
  for (const { arm, tag } of taken) {
    results.push(...throughParts(arm.arm.body, [intoArm(path, arm, tag, known, walk)], walk));
  }
  if (left.length === 0 || arms.some((arm) => arm.isDefault)) return results;
  // No arm for the values that are left.
  const tag = remainingTag(subject.field, left, known);
  const selected = known !== undefined && known.patterns.length > 0 && tag.patterns.length === known.patterns.length;
  if (selected) {
    // The tag is one that an earlier match described, and this one adds nothing.
    results.push({ ...path, tags: withTag(path.tags, tag) });
    return results;
  }
  const names = tag.patterns.length > 0 || known ? path.names : [...path.names, "Other"];
  const unknownAt = tag.patterns.length > 0 ? path.unknownAt : unknownHere(path, arms);
  const reset = known ? {} : { doc: "", specName: null, ownName: null };
  results.push({ ...path, ...reset, names, tags: withTag(path.tags, tag), unknownAt });
  return results;
}

/** The streams that some arm of a match adds to have something here that nobody has described. */
function unknownHere(path: RequestPath, arms: readonly CheckedArm<RequestPart>[]): RequestPath["unknownAt"] {
  const adds = (direction: "readable" | "writable"): boolean => arms.some(({ arm }) => hasStream(arm.body, direction));
  const { readable, writable } = path.unknownAt;
  return {
    readable: readable ?? (adds("readable") ? path.readable.length : null),
    writable: writable ?? (adds("writable") ? (path.replies[0]?.members.length ?? 0) : null),
  };
}

function hasStream(parts: readonly RequestPart[], direction: "readable" | "writable"): boolean {
  return parts.some((part) => {
    switch (part.kind) {
      case "stream":
        return part.direction === direction && part.members.length > 0;
      case "match-part":
        return part.arms.some((arm) => hasStream(arm.body, direction));
      case "conditional-part":
        return hasStream(part.whenTrue, direction) || hasStream(part.whenFalse, direction);
      case "struct-part":
        return hasStream(part.parts, direction);
    }
  });
}

/** The path on which an arm is taken. */
function intoArm(
  path: RequestPath,
  arm: CheckedArm<RequestPart>,
  tag: Tag,
  known: Tag | undefined,
  walk: Walk,
): RequestPath {
  const { facts, request } = walk;
  const clauses = readClauses(arm.arm.clauses, "a match arm", facts.bag);
  const name = armName(arm);
  const origin = originOf(clauses, name, path.encloser, facts.bag);
  const asName = clauses.names.get("as")?.name.text;
  const ifClause = clauses.expressions.get("if");
  const own = ifClause && compileCondition(ifClause.expression, environmentAt(path, walk));
  const doc = arm.arm.documentation.join("\n");
  // A tag that an earlier match has pinned down gives no further name, unless this arm narrows it.
  const narrower = known === undefined || known.patterns.length === 0 || tag.patterns.length < known.patterns.length;
  const renamed = known !== undefined && path.names.at(-1) === "Other" ? path.names.slice(0, -1) : path.names;
  return {
    ...path,
    names: narrower ? [...renamed, narrowName(arm, tag)] : path.names,
    ownName: asName !== undefined && !isSpecStyle(asName) ? asName : narrower ? null : path.ownName,
    specName: asName !== undefined && isSpecStyle(asName) ? asName : narrower ? null : path.specName,
    doc: doc === "" ? path.doc : doc,
    encloser: { label: request.name, ...origin },
    tags: withTag(path.tags, tag),
    condition: bothConditions(path.condition, own ?? null),
    unknownAt: known !== undefined && narrower && tag.patterns.length > 0 ? described : path.unknownAt,
  };
}

function narrowName(arm: CheckedArm<RequestPart>, tag: Tag): string {
  return armName({ patterns: tag.patterns, isDefault: arm.isDefault && tag.patterns.length === 0 });
}

/** A match on what the device writes: each reply goes its own ways. */
function throughReplies(
  arms: readonly CheckedArm<RequestPart>[],
  subject: Subject,
  path: RequestPath,
  walk: Walk,
): RequestPath {
  const replies: ReplyPath[] = [];
  for (const reply of path.replies) {
    const known = reply.tags.find((tag) => tag.field === subject.field);
    const { taken, left } = takenArms(arms, subject, known, walk);
    const take = (name: string, tag: Tag, body: readonly RequestPart[], arm: CheckedArm<RequestPart> | null): void => {
      const names = known ? reply.names : [...reply.names, name];
      const tagged: ReplyPath = { ...reply, names, tags: withTag(reply.tags, tag) };
      const entered = arm === null ? tagged : intoReply(tagged, arm, path, walk);
      for (const end of throughParts(body, [{ ...path, replies: [entered] }], walk)) replies.push(...end.replies);
    };
    for (const { arm, tag } of taken) {
      take(narrowName(arm, tag), tag, arm.arm.body, arm);
    }
    // With any other status nothing more is written.
    if (left.length > 0 && !arms.some((arm) => arm.isDefault)) {
      take("Other", remainingTag(subject.field, left, known), [], null);
    }
  }
  return { ...path, replies };
}

/** A reply on which an arm is taken. */
function intoReply(reply: ReplyPath, arm: CheckedArm<RequestPart>, path: RequestPath, walk: Walk): ReplyPath {
  const { facts, request } = walk;
  const clauses = readClauses(arm.arm.clauses, "a match arm", facts.bag);
  const origin = originOf(clauses, armName(arm), reply.encloser ?? path.encloser, facts.bag);
  const asName = clauses.names.get("as")?.name.text;
  const ifClause = clauses.expressions.get("if");
  const here: RequestPath = { ...path, replies: [reply] };
  const own = ifClause && compileCondition(ifClause.expression, environmentAt(here, walk));
  const doc = arm.arm.documentation.join("\n");
  return {
    ...reply,
    ownName: asName !== undefined && !isSpecStyle(asName) ? asName : reply.ownName,
    streamName:
      asName !== undefined && isSpecStyle(asName)
        ? { specName: asName, to: null, spec: origin.spec }
        : reply.streamName,
    doc: doc === "" ? reply.doc : doc,
    encloser: { label: request.name, ...origin },
    condition: bothConditions(reply.condition, own ?? null),
  };
}
