import { readFileSync } from "node:fs";
import ts from "typescript";
import { expect, test } from "vitest";

/**
 * Which tests send each of the malformed inputs 1 to 36 (rings), 37 to 48 (registers) and 49 to 57 (features and status):
 * the beginning of a test's title, in its file; or why the input does not exist there. `core` is the device without a
 * transport, `pci` and `mmio` are its registers; the tests of transport/registers run over both.
 */
type Cover = readonly [file: keyof typeof files, ...titles: string[]] | { readonly none: string };
interface Row {
  readonly numbers: readonly number[];
  readonly split?: Cover;
  readonly packed?: Cover;
  readonly core?: Cover;
  readonly pci?: Cover;
  readonly mmio?: Cover;
}
const files = {
  splitChains: "ring/split-hostile-chains.test.ts",
  splitIndirect: "ring/split-hostile-indirect.test.ts",
  splitAvailable: "ring/split-hostile-available.test.ts",
  splitDevice: "ring/split-hostile-device.test.ts",
  packed: "ring/packed-hostile.test.ts",
  inOrder: "ring/in-order-hostile-device.test.ts",
  status: "device/hostile-features-and-status.test.ts",
  registers: "transport/hostile-registers.test.ts",
  pci: "transport/pci/pci-transport.test.ts",
  mmio: "transport/mmio/mmio-transport.test.ts",
  lying: "transport/lying-device.test.ts",
} as const;
const noNext = { none: "packed descriptors have no next field" };
const noIndex = { none: "a packed ring has no available index and no heads" };
const packedOnly = { none: "an input of packed rings" };
const splitChains = (...titles: string[]): Cover => ["splitChains", ...titles];
const splitIndirect = (...titles: string[]): Cover => ["splitIndirect", ...titles];
const splitAvailable = (...titles: string[]): Cover => ["splitAvailable", ...titles];
const splitDevice = (...titles: string[]): Cover => ["splitDevice", ...titles];
const packed = (...titles: string[]): Cover => ["packed", ...titles];
const core = (title: string): Cover => ["status", title];
const pci = (...titles: string[]): Cover => ["pci", ...titles];
const mmio = (...titles: string[]): Cover => ["mmio", ...titles];
const lying = (...titles: string[]): Cover => ["lying", ...titles];
/** The same test over both. */
const both = (...titles: string[]): Pick<Row, "pci" | "mmio"> => ({
  pci: ["registers", ...titles],
  mmio: ["registers", ...titles],
});
const pciOnly = { none: "an input of PCI" };
const badAddress = "a readable descriptor behind a writable one, a bad address, and one that wraps";

const rows: readonly Row[] = [
  { numbers: [1], split: splitChains("1: a loop"), packed: packed("a chain that never ends") },
  {
    numbers: [2],
    split: splitChains("2: a chain longer"),
    packed: packed("an indirect table %s", "a chain that never ends"),
  },
  { numbers: [3], split: splitChains("3: next out of range"), packed: noNext },
  { numbers: [4], split: splitChains("4: an address past"), packed: packed(badAddress) },
  { numbers: [5], split: splitChains("5: address plus length"), packed: packed("4, 5, 6: what no buffer can be") },
  { numbers: [6], split: splitChains("6: more than 2^32"), packed: packed("4, 5, 6: what no buffer can be") },
  { numbers: [7], split: splitChains("7: a buffer that spans"), packed: packed(badAddress) },
  { numbers: [8], split: splitChains("8: writable before"), packed: packed(badAddress) },
  { numbers: [9], split: splitIndirect("9: INDIRECT"), packed: packed("an indirect table %s") },
  { numbers: [10], split: splitIndirect("10: nested"), packed: packed("26: INDIRECT and NEXT in a table") },
  { numbers: [11], split: splitIndirect("11: INDIRECT with NEXT"), packed: packed("25: INDIRECT with NEXT") },
  { numbers: [12, 13, 14], packed: packed("an indirect table %s") },
  { numbers: [12], split: splitIndirect("12: length") },
  { numbers: [13], split: splitIndirect("13: length 0") },
  { numbers: [14], split: splitIndirect("14: table out of range", "14: table that wraps") },
  { numbers: [15], split: splitAvailable("15: ") },
  { numbers: [16], split: splitAvailable("16: the index goes back", "16: back while") },
  { numbers: [17], split: splitAvailable("17: head") },
  { numbers: [15, 16, 17], packed: noIndex },
  { numbers: [18], split: splitAvailable("18: the same head twice"), packed: packed("24: id %d twice") },
  { numbers: [19], split: splitAvailable("19: a descriptor edited"), packed: packed("19: a descriptor edited") },
  { numbers: [20], split: splitAvailable("20: a buffer that is"), packed: packed("20: a buffer that is") },
  {
    numbers: [21],
    split: splitIndirect("21: a table whose entry", "21: a descriptor that refers"),
    packed: packed("21: a descriptor that refers"),
  },
  { numbers: [22], split: splitAvailable("22: used_event"), packed: packed("30: an event offset") },
  { numbers: [23, 24, 25, 26, 27, 28, 29, 30, 31], split: packedOnly },
  { numbers: [23], packed: packed("23, 27: flags", "23: a second lap") },
  { numbers: [24], packed: packed("24: id") },
  { numbers: [25], packed: packed("25: INDIRECT with NEXT", "25: INDIRECT behind") },
  { numbers: [26], packed: packed("26: ") },
  { numbers: [27], packed: packed("23, 27: flags") },
  { numbers: [28], packed: packed("28: flags") },
  { numbers: [29], packed: packed("29: event flags") },
  { numbers: [30], packed: packed("30: an event offset") },
  { numbers: [31], packed: packed("31: a ring of one") },
  { numbers: [32], split: splitDevice("32: used id"), packed: packed("32: used id") },
  { numbers: [33], split: splitDevice("33: a used id that is in"), packed: packed("33: an id") },
  { numbers: [34], split: splitDevice("34: the same"), packed: packed("34: the same") },
  { numbers: [35], split: splitDevice("35: a used length"), packed: packed("35: a length") },
  { numbers: [36], split: splitDevice("36: used.idx jumps"), packed: packed("36: descriptors that look used") },
  // With VIRTIO_F_IN_ORDER, both formats in one test.
  { numbers: [32], core: ["inOrder", "32: in order"] },
  { numbers: [33, 34], core: ["inOrder", "33, 34: in order"] },
  { numbers: [35], core: ["inOrder", "35: in order"] },
  { numbers: [36], core: ["inOrder", "36: in order, the entry", "36: in order, packed"] },
  { numbers: [37], ...both("37 queue size") },
  { numbers: [38], ...both("38 an unconfigured", "38 a queue is enabled whose", "38 a queue is enabled before") },
  { numbers: [39], ...both("39 queue_select") },
  { numbers: [40], pci: pci("40 maps no vector"), mmio: pciOnly },
  { numbers: [41], pci: pci("41 refuses"), mmio: pciOnly },
  { numbers: [42], pci: pci("42 of any width", "42 of 3 bytes"), mmio: mmio("42, 43 take accesses") },
  { numbers: [43], pci: { none: "an input of MMIO" }, mmio: mmio("42, 43 take accesses") },
  { numbers: [44], ...both("44 a queue is notified that does not", "44 a queue is notified that is not") },
  { numbers: [44], pci: pci("44 notify only", "44 with one address") },
  { numbers: [45], pci: pci("45 to what"), mmio: mmio("45 that are") },
  { numbers: [46], ...both("46 queue_enable (QueueReady)", "46 a queue in use") },
  { numbers: [46], mmio: mmio("46 QueueReady 0") },
  { numbers: [47], pci: lying("a function whose capability list lies (47)"), mmio: pciOnly },
  { numbers: [48], pci: lying("48 the common structure"), mmio: lying("QueueReset is ignored") },
  { numbers: [49], core: core("49 a feature"), ...both("49 a feature") },
  { numbers: [50], core: core("50 features"), ...both("50 features") },
  { numbers: [51], core: core("51 DRIVER_OK"), ...both("51 DRIVER_OK") },
  { numbers: [52], core: core("52 a feature select"), ...both("52 feature selects") },
  { numbers: [53], core: core("53 status bits"), ...both("53 status bits") },
  { numbers: [54], core: core("54 initialised again"), ...both("54 initialised again") },
  { numbers: [55], core: core("55 a notification"), ...both("55 a notification") },
  { numbers: [56], core: core("56 a reset"), ...both("56 a reset", "56 queue_reset is set") },
  { numbers: [57], core: core("57 a reset"), ...both("57 a reset") },
];

/** Titles of the tests of a file, and the `input` of verdicts in tables. */
function titlesOf(file: string): string[] {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(test|it|describe)\b/.test(node.expression.getText())) {
      const [title] = node.arguments;
      if (title !== undefined && ts.isStringLiteralLike(title)) titles.push(title.text);
    }
    if (ts.isPropertyAssignment(node) && node.name.getText() === "input") {
      const { initializer } = node;
      if (ts.isStringLiteralLike(initializer)) titles.push(initializer.text);
      if (ts.isTemplateExpression(initializer)) titles.push(initializer.head.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true));
  return titles;
}

const ringInputs = Array.from({ length: 36 }, (_, index) => index + 1);
const registerInputs = Array.from({ length: 21 }, (_, index) => index + 37);
const coreInputs = Array.from({ length: 9 }, (_, index) => index + 49);

test("each input has its place on each ring format and transport, or a reason why it has none", () => {
  const placed = (kind: "split" | "packed" | "core" | "pci" | "mmio") =>
    new Set(rows.flatMap((row) => (row[kind] === undefined ? [] : row.numbers)));
  expect(ringInputs.filter((number) => !placed("split").has(number))).toEqual([]);
  expect(ringInputs.filter((number) => !placed("packed").has(number))).toEqual([]);
  expect(coreInputs.filter((number) => !placed("core").has(number))).toEqual([]);
  expect(registerInputs.filter((number) => !placed("pci").has(number))).toEqual([]);
  expect(registerInputs.filter((number) => !placed("mmio").has(number))).toEqual([]);
});

test("each test named exists", () => {
  const known = new Map(Object.values(files).map((file) => [file, titlesOf(file)] as const));
  const missing = rows
    .flatMap((row) => [row.split, row.packed, row.core, row.pci, row.mmio])
    .flatMap((cover) => {
      if (cover === undefined || "none" in cover) return [];
      const [file, ...titles] = cover;
      const found = known.get(files[file]) ?? [];
      return titles
        .filter((title) => !found.some((each) => each.startsWith(title)))
        .map((title) => `${file}: ${title}`);
    });
  expect(missing).toEqual([]);
});
