import { describe, expect, test } from "vitest";
import type { Formula, FormulaOperator } from "../../../src/model/device-model.js";
import { code, render } from "../../../src/emit/typescript/code.js";
import { EmitError } from "../../../src/emit/typescript/emit-error.js";
import { isPowerOfTwo, popcount } from "../../../src/runtime/index.js";
import { closedContext, condition, count, type FormulaContext } from "../../../src/emit/typescript/formulas.js";

const context: FormulaContext = {
  ...closedContext("test"),
  feature: (name) => ({ code: code`has.${name}`, type: "boolean" }),
  field: (_, path) => ({ code: code`${path.join(".")}`, type: path[0] === "wide" ? "bigint" : "number" }),
};
const number = (value: number | string): Formula => ({ op: "number", value });
const field = (name: string): Formula => ({ op: "field", scope: "self", path: [name] });
const binary = (operator: FormulaOperator, left: Formula, right: Formula): Formula => ({
  op: "binary",
  operator,
  left,
  right,
});

/** The value of the emitted expression. */
function run(
  formula: Formula,
  values: Readonly<Record<string, number | bigint>>,
  has: Readonly<Record<string, boolean>> = {},
): unknown {
  const { text } = render(count(formula, context));
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- runs what was emitted
  const evaluate = new Function("has", ...Object.keys(values), `return ${text};`) as (...values: unknown[]) => unknown;
  return evaluate(has, ...Object.values(values));
}

describe("an emitted formula gives what the definition says", () => {
  test.each<[string, Formula, Record<string, number | bigint>, number]>([
    ["division cuts", binary("/", field("a"), number(4)), { a: 11 }, 2],
    ["a divisor of 0 does not throw", binary("/", field("a"), field("b")), { a: 11, b: 0 }, 11],
    ["a remainder by 0 does not throw", binary("%", field("wide"), field("b")), { wide: 11n, b: 0 }, 0],
    ["bits stay unsigned", binary("|", field("a"), number(0x80000000)), { a: 1 }, 0x80000001],
    ["shifts go beyond 32 bits", binary("<<", number(1), field("a")), { a: 40 }, 2 ** 40],
    ["shifts to the right", binary(">>", field("a"), number(36)), { a: 2 ** 40 }, 16],
    ["wide and narrow numbers mix", binary("+", field("wide"), number(2)), { wide: 2n ** 40n }, 2 ** 40 + 2],
    ["a complement stays unsigned", { op: "unary", operator: "~", operand: field("a") }, { a: 0 }, 0xffffffff],
  ])("%s", (_, formula, values, result) => {
    expect(run(formula, values)).toBe(result);
  });

  test("features choose", () => {
    const formula: Formula = {
      op: "conditional",
      condition: { op: "feature", feature: "MQ" },
      whenTrue: field("a"),
      whenFalse: number(1),
    };
    expect(run(formula, { a: 7 }, { MQ: true })).toBe(7);
    expect(run(formula, { a: 7 }, { MQ: false })).toBe(1);
  });

  test("a number is a condition if it is not 0", () => {
    expect(render(condition(binary("&", field("a"), number(1)), context)).text).toBe("(((a & 1) >>> 0) !== 0)");
    expect(render(condition(field("wide"), context)).text).toBe("(wide !== 0n)");
  });

  test("numbers beyond 2^53 stay exact", () => {
    expect(render(condition(binary("==", field("wide"), number("18446744073709551615")), context)).text).toBe(
      "(wide === 18446744073709551615n)",
    );
  });
});

test("what cannot be referred to is refused, with its place", () => {
  expect(() => count({ op: "index" }, context)).toThrow(EmitError);
  expect(() => count({ op: "config", path: ["x"] }, context)).toThrow(
    "cannot emit a formula that refers to a config field here (test)",
  );
});

test("what formulas call is in the runtime", () => {
  expect([0, 1, 2, 3, 4, 0x8000].map(isPowerOfTwo)).toEqual([false, true, true, false, true, true]);
  expect([isPowerOfTwo(2n ** 63n), isPowerOfTwo(2n ** 63n + 1n)]).toEqual([true, false]);
  expect([popcount(0), popcount(0xff), popcount(2n ** 64n - 1n)]).toEqual([0, 8, 64]);
});
