import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { read, readFields } from "./reading.js";

const listing = readFileSync(new URL("listing.txt", import.meta.url), "utf8");

/** Declarations of the listing by name. */
function declaration(name: string): unknown {
  return read(listing).find(
    (item) => typeof item === "object" && item !== null && "name" in item && item.name === name,
  );
}

describe("listings in the shapes of the specification", () => {
  it("are read as they stand", () => {
    expect(read(listing)).toHaveLength(11);
  });

  it("may stand in a device too, with any line ends", () => {
    const [device] = read(`device d = 1 {\n${listing}}`.replaceAll("\n", "\r\n")) as { members: unknown[] }[];
    expect(device?.members).toEqual(read(listing));
  });

  it("forgive prose behind values", () => {
    expect(declaration("VIRTIO_DEMO_CMD_SET")).toMatchObject({ value: { value: 0 } });
    expect(declaration("VIRTIO_DEMO_CMD_GET")).toMatchObject({ value: { value: 1 } });
    expect(declaration("VIRTIO_DEMO_MASK")).toMatchObject({ value: { value: 255 } });
  });

  it("have enums that go on counting", () => {
    const members = [{ value: { value: 256 } }, { name: "VIRTIO_DEMO_KIND_B" }, { value: { value: 512 } }];
    expect(declaration("virtio_demo_kind")).toMatchObject({ members });
  });

  it("turn remarks into conditions", () => {
    const path = (name: string) => ({ kind: "path", segments: [`VIRTIO_DEMO_F_${name}`] });
    expect(declaration("virtio_demo_hdr")).toMatchObject({
      members: [
        { kind: "constant" },
        { kind: "constant", value: { kind: "call" } },
        { name: "msg_type" },
        { name: "length" },
        { name: "hash", clauses: [{ word: "if", expression: path("HASH") }] },
        { name: "outer", clauses: [{ expression: { operator: "||", left: path("A"), right: path("B") } }] },
        { name: "inner", clauses: [{ expression: { operator: "&&" } }] },
        { type: { keyword: "union" } },
        { name: "crc" },
        { name: "command-specific-data" },
      ],
    });
  });

  it("may leave lengths to prose", () => {
    expect(readFields("u8 a[<actual size>];\nu8 b[Queue Size];")).toMatchObject([
      { name: "a", dimensions: [{ unit: "elements" }] },
      { name: "b", dimensions: [{ unit: "elements" }] },
    ]);
  });
});
