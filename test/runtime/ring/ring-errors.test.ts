import { expect, test } from "vitest";
import { ringErrorRules } from "../../../src/runtime/ring/index.js";

test("what every malformed input says names its section", () => {
  for (const { clause, says } of Object.values(ringErrorRules)) {
    expect(clause).toMatch(/^[12](\.\d+)+$/);
    expect(says).toMatch(/^[a-z]/);
  }
});
