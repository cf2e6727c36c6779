import { expect, test } from "vitest";
import { compile } from "../../../src/compiler/compile.js";
import { emitTypeScript } from "../../../src/emit/typescript/index.js";

async function emitted(config: string): Promise<string> {
  const { model } = compile([
    {
      name: "a.virtio",
      text: `device a = 60 {
        enum Mode : u8 { OFF = 0; ON = 1; }
        config { ${config} }
        struct Packet { u8 data[]; }
        queues { q : transmit Packet; }
      }`,
    },
  ]);
  if (model === undefined) throw new Error("no model");
  const [file] = await emitTypeScript(model, { version: "0.0.0" });
  return file?.text ?? "";
}

test("what may be left out of the configuration says what it is then", async () => {
  const text = await emitted(
    "Mode mode default ON; /** How fast. */ rw le64 rate default 7; le16 x : 1 default 1; le16 : 15;",
  );
  expect(text).toContain("What is left out is 0, unless its own line says another value.");
  expect(text).toMatch(/`"ON"` if it is left out\. \*\/\s+readonly mode\?: AMode;/);
  expect(text).toMatch(/How fast\.[^;]*`7n` if it is left out\.[^;]*readonly rate\?: bigint;/);
  expect(text).toMatch(/`true` if it is left out\. \*\/\s+readonly x\?: boolean;/);
});

test("it is 0 where nothing else is said", async () => {
  const text = await emitted("rw le64 rate; le32 size;");
  expect(text).toContain("/** Configuration of a new ADevice. What is left out is 0. */");
  expect(text).not.toContain("if it is left out");
});
