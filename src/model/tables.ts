import type { EnumMember, TableBlock } from "../language/syntax-tree.js";
import type { ItemModel, SharedMemoryModel, TableModel } from "./device-model.js";
import { readClauses } from "./clauses.js";
import type { Facts } from "./facts.js";
import { resolveType } from "./field-types.js";
import { textOrNull } from "./formula-text.js";
import { compileCondition, compileConstant } from "./formulas.js";
import { overlap } from "./number-ranges.js";
import { upperPrefix } from "./spec-names.js";
import { memberNames, memberPattern } from "./declared-names.js";
import type { Scope } from "./symbols.js";
import { originOf, type Encloser } from "./versions.js";

interface Entry {
  readonly declaration: EnumMember;
  readonly item: ItemModel;
  readonly id: number;
  readonly last: number | null;
}

/** Shared memory regions by their numbers. */
export function sharedMemoryModels(scope: Scope, facts: Facts): readonly SharedMemoryModel[] {
  return scope.tables
    .filter((block) => block.table === "memory")
    .flatMap((block) =>
      entriesOf(block, `${upperPrefix(scope.naming)}SHM_ID_*`, 255n, scope, facts).map(
        ({ declaration, item, id, last }) => {
          const clause = declaration.clauses.find((each) => each.word === "if");
          const tree = clause?.word === "if" ? compileCondition(clause.expression, { facts, scope }) : undefined;
          const conditionTree = tree ?? null;
          return { ...item, id, last, condition: textOrNull(conditionTree), conditionTree };
        },
      ),
    );
}

/** Numbers of the payloads of admin commands. */
export function tableModels(scope: Scope, facts: Facts): readonly TableModel[] {
  return scope.tables.flatMap((block) => {
    const { table } = block;
    if (table === "memory") return [];
    const entries = entriesOf(block, `${upperPrefix(scope.naming)}*`, 0xffffn, scope, facts);
    return [
      {
        table,
        entries: entries.map((entry) => ({
          ...entry.item,
          id: entry.id,
          last: entry.last,
          type: typeName(entry, scope, facts),
        })),
      },
    ];
  });
}

function typeName(entry: Entry, scope: Scope, facts: Facts): string | null {
  const { type } = entry.declaration;
  if (!type) return null;
  const resolved = resolveType(type, scope, facts);
  switch (resolved.kind) {
    case "scalar":
      return resolved.scalar;
    case "struct":
    case "external":
      return resolved.symbol.name;
    case "inline":
    case "broken":
      return null;
  }
}

function entriesOf(
  block: TableBlock,
  defaultPattern: string,
  highest: bigint,
  scope: Scope,
  facts: Facts,
): readonly Entry[] {
  const { bag } = facts;
  const blockClauses = readClauses(block.clauses, "a table", bag);
  const origin = originOf(blockClauses, block.table, scope.encloser, bag);
  const encloser: Encloser = { label: block.table, ...origin };
  // Without identifiers of their own, what was made up would look like one.
  const pattern = blockClauses.words.has("unnamed") ? "*" : (memberPattern(block.clauses) ?? defaultPattern);
  const entries: Entry[] = [];
  const names = new Map<string, EnumMember>();
  for (const declaration of block.members) {
    if (declaration.name.text === "") continue;
    const pair = memberNames(declaration, pattern);
    const { name } = pair;
    const first = names.get(name);
    if (first) {
      const labels = [{ span: first.name.span, message: "declared here first" }];
      bag.report("duplicate-name", declaration.name.span, { what: "entry", name }, { labels });
      continue;
    }
    names.set(name, declaration);
    const clauses = readClauses(declaration.clauses, "a table entry", bag);
    const doc = declaration.documentation.join("\n");
    const item = { name, specName: pair.specName, doc, ...originOf(clauses, name, encloser, bag) };
    const { value, rangeEnd } = declaration;
    if (!value) {
      bag.report("missing-value", declaration.name.span, { what: "entry", name, needed: "a number" });
      continue;
    }
    const id = compileConstant(value, { facts, scope });
    const last = rangeEnd && compileConstant(rangeEnd, { facts, scope });
    if (id === undefined || (rangeEnd && last === undefined)) continue;
    const high = last ?? id;
    if (high < id) {
      bag.report("range-backwards", { ...value.span, end: rangeEnd?.span.end ?? value.span.end }, { low: id, high });
      continue;
    }
    if (id < 0n || high > highest) {
      bag.report("value-out-of-range", value.span, {
        what: `the number of ${name}`,
        value: high,
        low: 0,
        high: highest,
      });
      continue;
    }
    const range = { low: id, high };
    const other = entries.find((entry) =>
      overlap(range, { low: BigInt(entry.id), high: BigInt(entry.last ?? entry.id) }),
    );
    if (other) {
      const at = other.declaration.value?.span ?? other.declaration.span;
      const labels = [{ span: at, message: `${other.item.name} has it here` }];
      bag.report("duplicate-value", value.span, { name, value: id, other: other.item.name }, { labels });
    }
    entries.push({ declaration, item, id: Number(id), last: last === undefined ? null : Number(last) });
  }
  return entries;
}
