import { describe, expect, test } from "vitest";
import { build } from "../../src/compiler/build.js";
import { positionAt } from "../../src/diagnostics/source.js";

/** Where the compiler says that something cannot be written as TypeScript: `line:column`, and the text there. */
async function refused(text: string): Promise<readonly string[]> {
  const { diagnostics, outputs } = await build([{ name: "a.virtio", text }]);
  expect(outputs).toEqual([]);
  return diagnostics.map(({ code, span, help }) => {
    expect(code).toBe("VG9015");
    expect(help).toContain("--emit json");
    const { line, column } = positionAt(span.source, span.start);
    return `${String(line)}:${String(column)} ${span.source.text.slice(span.start, span.end)}`;
  });
}

describe("what cannot be written as TypeScript is shown where it is declared", () => {
  test("a struct, in each device that has one", async () => {
    expect(
      await refused(`device a = 60 {
  header Front { u8 kind; u8 more if kind > 2; }
  struct Message { Front front; }
  queues { q : transmit Message; }
}
device b = 61 {
  header virtio_b_head { u8 kind; u8 more if kind > 2; }
  struct Message { virtio_b_head front; }
  queues { q : transmit Message; }
}
`),
    ).toEqual(["2:10 Front", "7:10 virtio_b_head"]);
  });

  test("a field of a request, and not a member of an enum that is called like the variant", async () => {
    expect(
      await refused(`device a = 60 {
  enum Kind : u8 { X = 0; Y = 1; }
  queues { q : request R; }
  union Hdr { Kind kind; u8 more; }
  request R {
    readable { Hdr hdr; }
    match hdr.kind { X => readable { le16 x; } Y => {} }
    writable { u8 status; }
  }
}
`),
    ).toEqual(["6:20 hdr"]);
  });

  test("a struct that stands outside of the device", async () => {
    expect(
      await refused(`header Front { u8 kind; u8 more if kind > 2; }
device a = 60 {
  struct Message { Front front; }
  queues { q : transmit Message; }
}
`),
    ).toEqual(["1:8 Front"]);
  });
});
