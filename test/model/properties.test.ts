import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiagnosticBag } from "../../src/diagnostics/diagnostic.js";
import type { Expression, SourceFile } from "../../src/language/syntax-tree.js";
import { check } from "../../src/model/check.js";
import { dependencyOrder } from "../../src/model/dependency-order.js";
import type { Formula, FormulaOperator } from "../../src/model/device-model.js";
import { replaceLeaves } from "../../src/model/formula-building.js";
import { formulaText } from "../../src/model/formula-text.js";
import { evaluate, type FormulaInputs } from "../../src/model/formula-values.js";
import { intersection, without, type NumberRange } from "../../src/model/number-ranges.js";
import { satisfiable, type Clause } from "../../src/model/satisfiability.js";
import { processorTime } from "../language/processor-time.js";
import { compile } from "./inline.js";
import "../seed.js";

const runs = { numRuns: 200 };

describe("satisfiability", () => {
  it("agrees with trying everything", () => {
    const literal = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.boolean()).map(([n, sign]) => (sign ? n : -n));
    const clauses = fc.array(fc.array(literal, { minLength: 1, maxLength: 3 }), { maxLength: 14 });
    fc.assert(
      fc.property(clauses, fc.array(literal, { maxLength: 2 }), (all, given) => {
        const holds = (bits: number, one: number): boolean => ((bits >> (Math.abs(one) - 1)) & 1) === (one > 0 ? 1 : 0);
        const tried = Array.from({ length: 32 }, (_, bits) => bits).some(
          (bits) =>
            given.every((one) => holds(bits, one)) &&
            all.every((clause: Clause) => clause.some((one) => holds(bits, one))),
        );
        expect(satisfiable({ variables: 5, clauses: all }, given)).toBe(tried);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("ranges", () => {
  const range = fc
    .tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 8 }))
    .map(([low, length]): NumberRange => ({ low: BigInt(low), high: BigInt(low + length) }));
  const members = (ranges: readonly NumberRange[]): ReadonlySet<number> => {
    const set = new Set<number>();
    for (const { low, high } of ranges) for (let at = low; at <= high; at += 1n) set.add(Number(at));
    return set;
  };
  it("cut and overlap like sets", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 4 }), fc.array(range, { maxLength: 4 }), (a, b) => {
        const [inA, inB] = [members(a), members(b)];
        expect(members(intersection(a, b))).toEqual(new Set([...inA].filter((at) => inB.has(at))));
        expect(new Set(members(without(a, b)))).toEqual(new Set([...inA].filter((at) => !inB.has(at))));
      }),
      runs,
    );
  });
});

describe("dependencyOrder", () => {
  it("puts needed nodes first, and finds a cycle exactly if there is one", () => {
    const graph = fc.array(fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 3 }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(graph, (needs) => {
        const cycles: (readonly number[])[] = [];
        const nodes = needs.map((_, index) => index);
        const order = dependencyOrder(
          nodes,
          (node) => needs[node] ?? [],
          (path) => cycles.push(path),
        );
        expect([...order].sort()).toEqual(nodes);
        for (const cycle of cycles) {
          cycle.forEach((node, index) => expect(needs[node]).toContain(cycle[(index + 1) % cycle.length]));
        }
        if (cycles.length === 0) {
          const place = new Map(order.map((node, index) => [node, index]));
          needs.forEach((all, node) => {
            for (const needed of all) expect(place.get(needed)).toBeLessThan(place.get(node) ?? -1);
          });
        }
      }),
      runs,
    );
  });
});

describe("formulas", () => {
  const numeric: readonly FormulaOperator[] = ["|", "^", "&", "<<", ">>", "+", "-", "*", "/", "%"];
  const comparing: readonly FormulaOperator[] = ["==", "!=", "<", "<=", ">", ">="];
  const { number, condition } = fc.letrec<{ number: Formula; condition: Formula }>((tie) => {
    const binary = (operators: readonly FormulaOperator[], side: fc.Arbitrary<Formula>): fc.Arbitrary<Formula> =>
      fc
        .tuple(fc.constantFrom(...operators), side, side)
        .map(([operator, left, right]): Formula => ({ op: "binary", operator, left, right }));
    return {
      number: fc.oneof(
        { maxDepth: 4 },
        fc.integer({ min: 0, max: 9 }).map((value): Formula => ({ op: "number", value })),
        fc.constant<Formula>({ op: "config", path: ["x"] }),
        binary(numeric, tie("number")),
        fc
          .tuple(tie("condition"), tie("number"), tie("number"))
          .map(([test, whenTrue, whenFalse]): Formula => ({ op: "conditional", condition: test, whenTrue, whenFalse })),
        tie("number").map((operand): Formula => ({ op: "unary", operator: "~", operand })),
        fc
          .tuple(tie("number"), tie("number"))
          .map((both): Formula => ({ op: "call", function: "max", arguments: both })),
      ),
      condition: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom("A", "B").map((feature): Formula => ({ op: "feature", feature })),
        binary(comparing, tie("number")),
        binary(["&&", "||"], tie("condition")),
        tie("condition").map((operand): Formula => ({ op: "unary", operator: "!", operand })),
      ),
    };
  });
  const inputs = (bits: number): FormulaInputs => ({
    feature: (name) => ((bits >> (name === "A" ? 0 : 1)) & 1) === 1,
    config: () => BigInt(bits),
    index: 0n,
  });

  it("mean the same when their text is read again", () => {
    fc.assert(
      fc.property(fc.oneof(number, condition), (formula) => {
        const text = formulaText(formula);
        const { model, found } = compile(
          `device demo = 42 { features { A = 1; B = 2; } config { le32 x; }
           queues { q[(${text}) ? 1 : 2] : transmit D; } struct D { u8 a[]; } }`,
        );
        // A part that is constant may divide by zero or be shifted too far: then there is nothing to compare.
        if (found.some(({ name }) => name !== "queue-index-range" && name !== "queue-index-overlap")) return;
        const again = model.devices[0]?.queues[0]?.countTree;
        for (const bits of [0, 1, 2, 3]) {
          const value = evaluate(formula, inputs(bits));
          if (value === null || again === undefined) continue;
          expect(evaluate(again, inputs(bits)), text).toBe(value !== 0n ? 1n : 2n);
        }
      }),
      runs,
    );
  });

  it("keep their value when a feature is filled in", () => {
    fc.assert(
      fc.property(condition, (formula) => {
        const without = replaceLeaves(formula, (leaf) =>
          leaf.op === "feature" && leaf.feature === "B" ? { op: "number", value: 0 } : undefined,
        );
        for (const bits of [0, 1]) {
          const value = evaluate(formula, inputs(bits));
          if (value === null) continue;
          expect((evaluate(without, inputs(bits)) ?? 0n) !== 0n).toBe(value !== 0n);
        }
      }),
      runs,
    );
  });
});

describe("check is total", () => {
  it("goes through long chains without running out of stack", () => {
    const count = 20_000;
    const structs = Array.from(
      { length: count },
      (_, i) => `struct S${i} { ${i + 1 < count ? `S${i + 1} a` : "u8 a"}; }`,
    );
    const constants = Array.from({ length: count }, (_, i) => `const C${i} = ${i + 1 < count ? `C${i + 1}` : "7"};`);
    const { model, found } = compile([...structs, ...constants].join("\n"));
    expect(found).toEqual([]);
    expect(model.shared.structs[0]?.size).toBe(1);
    expect(model.shared.constants[0]?.value).toBe(7);
  });

  it("stops macros and `let`s that grow without end", () => {
    const lines = Array.from(
      { length: 40 },
      (_, i) => `#define M${i}(x) ${i < 39 ? `(M${i + 1}(x) + M${i + 1}(x))` : "x"}`,
    );
    const lets = Array.from({ length: 40 }, (_, i) => `let l${i} = ${i < 39 ? `l${i + 1} * l${i + 1}` : "config.x"};`);
    const { found } = compile(
      `device demo = 42 {\nconfig { le32 x; }\n${lines.join("\n")}\n${lets.join("\n")}\nlet use = M0(config.x);\n}`,
    );
    expect(new Set(found.map(({ name }) => name))).toEqual(new Set(["expression-too-large"]));
  });

  it("takes trees that no parser makes", () => {
    const source = { name: "made.virtio", text: "x" };
    const span = { source, start: 0, end: 1 };
    let value: Expression = { kind: "number", value: 1n, text: "1", span };
    for (let depth = 0; depth < 3000; depth += 1) value = { kind: "unary", operator: "~", operand: value, span };
    const name = { text: "x", span };
    const constant = { kind: "constant", documentation: [], syntax: "const", name, value, clauses: [], span } as const;
    const file: SourceFile = { kind: "file", items: [constant], comments: [], span };
    const bag = new DiagnosticBag();
    expect(check([file], bag).shared.constants).toEqual([]);
    expect(bag.sorted().map((diagnostic) => diagnostic.name)).toEqual(["expression-too-large"]);
  });

  it("needs time in proportion to the input", () => {
    const text = (count: number): string =>
      Array.from(
        { length: count },
        (_, i) => `struct A${i} { le32 n; u8 data[n]; match n { 1 => { le16 a; } default => {} } body; }`,
      ).join("\n");
    const cost = (count: number, enough?: number): number => {
      const input = text(count);
      return processorTime(() => expect(compile(input).found).toEqual([]), enough);
    };
    // Ten times as many; quadratic work would take 100 times as long.
    const enough = 40 * Math.max(cost(300), 10);
    expect(cost(3000, enough)).toBeLessThanOrEqual(enough);
  });
});
