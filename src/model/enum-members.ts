import type { Span } from "../diagnostics/source.js";
import type { EnumMember } from "../language/syntax-tree.js";
import type { EnumMemberModel, EnumModel } from "./device-model.js";
import { readClauses } from "./clauses.js";
import type { Facts, MemberValue } from "./facts.js";
import { largestValue, underlyingType } from "./field-types.js";
import { modelNumber } from "./formula-values.js";
import type { FormulaEnvironment } from "./formula-environment.js";
import { compileConstant } from "./formulas.js";
import type { EnumSymbol, MemberSymbol } from "./symbols.js";
import { compareVersions, originOf, type Encloser } from "./versions.js";

/** Works out the values of all members and puts them into `facts.members`. */
export function evaluateMembers(symbol: EnumSymbol, facts: Facts): void {
  const { declaration, scope } = symbol;
  const scalar = underlyingType(symbol, facts);
  const highest = scalar ? largestValue(scalar) : (1n << 64n) - 1n;
  // Members may use the ones before them.
  const environment: FormulaEnvironment = { facts, scope, expected: symbol };
  let next = 0n;
  let group: MemberSymbol["masked"] = null;
  for (const member of symbol.members) {
    if (member.masked !== group) next = 0n;
    group = member.masked;
    const flags = declaration.keyword === "flags" && member.masked === null;
    const value = memberValue(member, flags, next, environment);
    if (value === undefined) {
      next += 1n;
      continue;
    }
    const high = member.masked ? maskOf(member.masked, environment) : highest;
    const last = value.last ?? value.value;
    const outside = member.masked ? (value.value & ~(high ?? value.value)) !== 0n : last > highest;
    if (outside || value.value < 0n) {
      const at = member.declaration.value?.span ?? member.span;
      const what = `the value of ${member.name}`;
      facts.bag.report("value-out-of-range", at, { what, value: last, low: 0, high: high ?? highest });
      next += 1n;
      continue;
    }
    facts.members.set(member, value);
    next = flags ? value.value << 1n : last + 1n;
  }
  if (declaration.name) reportDuplicates(symbol, facts);
}

function memberValue(
  member: MemberSymbol,
  flags: boolean,
  next: bigint,
  environment: FormulaEnvironment,
): MemberValue | undefined {
  const { facts } = environment;
  const { declaration } = member;
  const at = declaration.clauses.find((clause) => clause.word === "at");
  if (flags && at?.word === "at") {
    const bit = compileConstant(at.expression, environment);
    if (bit === undefined) return undefined;
    if (bit >= 0n && bit < 64n) return { value: 1n << bit, last: null, bit: Number(bit) };
    const what = `the bit of ${member.name}`;
    facts.bag.report("value-out-of-range", at.expression.span, { what, value: bit, low: 0, high: 63 });
    return undefined;
  }
  if (!declaration.value) {
    if (!flags) return { value: next, last: null, bit: null };
    facts.bag.report("missing-value", member.span, {
      what: "flag",
      name: member.name,
      needed: "a mask (`= 4`) or a bit (`@ 2`)",
    });
    return undefined;
  }
  const value = compileConstant(declaration.value, environment);
  if (value === undefined) return undefined;
  if (!declaration.rangeEnd) return { value, last: null, bit: null };
  const last = compileConstant(declaration.rangeEnd, environment);
  if (last === undefined) return undefined;
  if (last < value) {
    const span = { ...declaration.value.span, end: declaration.rangeEnd.span.end };
    facts.bag.report("range-backwards", span, { low: value, high: last });
    return undefined;
  }
  return { value, last, bit: null };
}

function maskOf(masked: NonNullable<MemberSymbol["masked"]>, environment: FormulaEnvironment): bigint | undefined {
  return compileConstant(masked.mask, environment);
}

function reportDuplicates(symbol: EnumSymbol, facts: Facts): void {
  const groups = new Map<MemberSymbol["masked"], { member: MemberSymbol; low: bigint; high: bigint }[]>();
  for (const member of symbol.members) {
    const value = facts.members.get(member);
    if (!value) continue;
    const group = groups.get(member.masked) ?? [];
    groups.set(member.masked, group);
    group.push({ member, low: value.value, high: value.last ?? value.value });
  }
  for (const group of groups.values()) {
    group.sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : a.member.span.start - b.member.span.start));
    let widest = group[0];
    for (const item of group.slice(1)) {
      if (widest && item.low <= widest.high && !mayShare(item.member.declaration, widest.member.declaration)) {
        const [first, second] = widest.member.span.start < item.member.span.start ? [widest, item] : [item, widest];
        reportTwice(symbol, second.member, first.member, item.low, facts);
      }
      if (!widest || item.high > widest.high) widest = item;
    }
  }
}

function reportTwice(symbol: EnumSymbol, member: MemberSymbol, first: MemberSymbol, value: bigint, facts: Facts): void {
  const span: Span = member.declaration.value?.span ?? member.span;
  facts.bag.report(
    "duplicate-value",
    span,
    { name: `${symbol.name}.${member.name}`, value, other: first.name },
    { labels: [{ span: first.declaration.value?.span ?? first.span, message: `${first.name} has it here` }] },
  );
}

/** Legacy names may repeat a modern value, and a later version may reuse the value of one that ended. */
function mayShare(a: EnumMember, b: EnumMember): boolean {
  if (a.legacy !== b.legacy) return true;
  if (isAlias(a) || isAlias(b)) return true;
  return endsBefore(a, b) || endsBefore(b, a);
}

function isAlias(member: EnumMember): boolean {
  return member.clauses.some(({ word }) => word === "alias");
}

function endsBefore(a: EnumMember, b: EnumMember): boolean {
  const until = a.clauses.find((clause) => clause.word === "until");
  const since = b.clauses.find((clause) => clause.word === "since");
  if (until?.word !== "until" || since?.word !== "since") return false;
  return compareVersions(until.version, since.version) < 0;
}

/** The enum as the model shows it. */
export function enumModel(symbol: EnumSymbol, facts: Facts): EnumModel {
  const { declaration } = symbol;
  const clauses = readClauses(declaration.clauses, "an enum", facts.bag);
  const origin = originOf(clauses, symbol.name, symbol.encloser, facts.bag);
  const encloser: Encloser = { label: symbol.name, ...origin };
  const models = new Map(
    symbol.members.map((member) => [member.declaration, memberModel(symbol, member, encloser, facts)]),
  );
  const present = (members: readonly EnumMember[]): EnumMemberModel[] =>
    members.flatMap((member) => models.get(member) ?? []);
  return {
    name: symbol.name,
    specName: symbol.specName,
    doc: declaration.documentation.join("\n"),
    ...origin,
    kind: declaration.keyword,
    open: declaration.open,
    type: underlyingType(symbol, facts) ?? null,
    members: present(declaration.members.filter((member) => member.kind === "enum-member")),
    masked: declaration.members.flatMap((masked) => {
      if (masked.kind !== "masked-enum") return [];
      readClauses(masked.clauses, "an enum", facts.bag);
      const mask = compileConstant(masked.mask, { facts, scope: symbol.scope });
      if (mask === undefined) return [];
      const { name, documentation } = masked;
      return [{ name: name.text, doc: documentation.join("\n"), mask: Number(mask), members: present(masked.members) }];
    }),
  };
}

function memberModel(symbol: EnumSymbol, member: MemberSymbol, encloser: Encloser, facts: Facts): EnumMemberModel[] {
  const { declaration } = member;
  const holder = symbol.declaration.keyword === "flags" ? "a flag" : "an enum member";
  const clauses = readClauses(declaration.clauses, holder, facts.bag);
  const origin = originOf(clauses, member.name, encloser, facts.bag);
  const value = facts.members.get(member);
  if (!value) return [];
  return [
    {
      name: member.name,
      specName: member.specName,
      doc: declaration.documentation.join("\n"),
      ...origin,
      value: modelNumber(value.value),
      last: value.last === null ? null : modelNumber(value.last),
      bit: value.bit,
      legacy: declaration.legacy,
      alias: isAlias(declaration),
    },
  ];
}
