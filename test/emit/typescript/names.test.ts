import { expect, test } from "vitest";
import {
  camelCase,
  constantCase,
  localName,
  NameScope,
  pascalCase,
  withoutPrefix,
} from "../../../src/emit/typescript/names.js";

test.each([
  ["max_nr_ports", "maxNrPorts"],
  ["command-specific-data", "commandSpecificData"],
  ["MagicValue", "magicValue"],
  ["__reserved", "reserved"],
  ["vq_index_1_16", "vqIndex1_16"],
  ["s6_u8", "s6U8"],
  ["class", "class"],
])("%s is the property %s", (name, property) => {
  expect(camelCase(name)).toBe(property);
});

test.each([
  ["zone_report", "ZoneReport"],
  ["GET_ID", "GetId"],
  ["DiscardWriteZeroes", "DiscardWriteZeroes"],
  ["9p", "_9p"],
])("%s is the type %s", (name, type) => {
  expect(pascalCase(name)).toBe(type);
});

test("constants", () => {
  expect(constantCase("BlkZoneReport")).toBe("BLK_ZONE_REPORT");
});

test.each([
  ["virtio_blk_lifetime", "blk", "lifetime"],
  ["virtnet_rss_ctx_cap", "net", "rss_ctx_cap"],
  ["virtio_feature_desc", "ccw", "feature_desc"],
  ["rss_rq_id", "net", "rss_rq_id"],
  ["virtio_", "blk", "virtio_"],
])("%s of %s loses what is said already", (name, device, rest) => {
  expect(withoutPrefix(name, device)).toBe(rest);
});

test("local variables clash with no word of the language", () => {
  expect(localName("class")).toBe("classField");
  expect(localName("reader")).toBe("readerField");
  expect(localName("sector")).toBe("sector");
});

test("a name is given once", () => {
  const scope = new NameScope();
  expect(scope.claim("A", "B")).toBe("A");
  expect(scope.claim("A", "B")).toBe("B");
  expect(scope.claim("A", "B")).toBeUndefined();
});
