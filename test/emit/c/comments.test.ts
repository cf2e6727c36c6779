import { expect, test } from "vitest";
import { fieldComment } from "../../../src/emit/c/comments.js";
import { deviceOf } from "../../model/inline.js";

test("a header says whose bits ones clear", () => {
  const { config } = deviceOf("config { w1c le32 own; w1c le32 seen clears raised; le32 raised; }");
  expect(config?.fields.map(fieldComment)).toEqual([
    "Writing 1 clears a bit.",
    "Writing 1 clears a bit of raised.",
    "",
  ]);
});
