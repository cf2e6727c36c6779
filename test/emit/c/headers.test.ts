import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { emitC } from "../../../src/emit/c/index.js";
import { enumConstantName } from "../../../src/emit/c/names.js";
import { specVersions } from "../../../src/model/versions.js";
import { layoutOf } from "../../dsl/models.js";
import { modelOfAll } from "../../dsl/definitions.js";
import { check, missingCompiler, values, type Language } from "../../interop/c-compiler.js";
import { requirePeer } from "../../interop/peers.js";

const model = modelOfAll();
const headers = emitC(model, { version: "0.0.0" });
const folder = mkdtempSync(join(tmpdir(), "virtio-gen-headers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
for (const { path, text } of headers) writeFileSync(join(folder, path), text);

const strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", folder];
const include = (paths: readonly string[]): string => paths.map((path) => `#include "${path}"\n`).join("");
const paths = headers.map(({ path }) => path);

test("one header a device, and one for what they share", () => {
  const devices = model.devices.filter(({ kind }) => kind !== "core").map(({ name }) => `virtio_${name}.h`);
  expect([...paths].sort()).toEqual([...devices, "virtio_core.h", "virtio_shared.h"].sort());
});

for (const language of ["c", "c++"] as const satisfies readonly Language[]) {
  const present = await requirePeer(`a ${language === "c" ? "C" : "C++"} compiler`, () => missingCompiler(language));
  describe.runIf(present)(`as ${language}`, () => {
    test.each(paths)("%s compiles on its own, without a warning", (path) => {
      expect(check(language, include([path]), strict)).toBe("");
    });

    test("all of them together, in either order and twice", () => {
      expect(check(language, include([...paths, ...paths]), strict)).toBe("");
      expect(check(language, include([...paths].reverse()), strict)).toBe("");
    });

    test("without Linux's types, and beside those of the system", () => {
      const system = "#include <netinet/in.h>\n#include <errno.h>\n";
      expect(check(language, system + include(paths), [...strict, "-DVIRTIO_GEN_NO_LINUX_TYPES"])).toBe("");
    });

    test.each(specVersions)("as version %s has them", (version) => {
      const text = [...emitC(modelOfAll(version), { version: "0.0.0" })]
        // One text: the shared header first, which the others include.
        .sort((a, b) => Number(b.path === "virtio_shared.h") - Number(a.path === "virtio_shared.h"))
        .map((header) => header.text.replace('#include "virtio_shared.h"', ""))
        .join("\n");
      expect(check(language, text, strict)).toBe("");
    });

    test("an assertion that is wrong does not compile", () => {
      const blk = headers.find(({ path }) => path === "virtio_blk.h")?.text ?? "";
      const field = "_Static_assert(offsetof(struct virtio_blk_config, num_queues) == 34";
      expect(blk).toContain(field);
      expect(check(language, blk.replace(field, field.replace("34", "35")), strict)).toContain(
        "static assertion failed",
      );
      const swapped = blk.replace("__le16 num_queues;", "__le32 num_queues;");
      expect(check(language, swapped, strict)).toContain("static assertion failed");
    });
  });
}

describe.runIf(missingCompiler("c") === undefined)("what the compiler finds in them", () => {
  interface Question {
    readonly c: string;
    readonly wanted: number;
  }
  const ask = (questions: readonly Question[]): readonly string[] => {
    const found = values(
      questions.map(({ c }) => c),
      include(paths),
      ["-I", folder],
    );
    return questions.flatMap(({ c, wanted }, index) =>
      found[index] === wanted ? [] : [`${c} is ${found[index] ?? "missing"}, not ${wanted}`],
    );
  };

  test("every feature bit, constant and table entry has its number", () => {
    const homes = [...model.devices, model.shared];
    const numbers = [
      ...model.devices.flatMap(({ features }) => features.map(({ specName, bit }) => ({ c: specName, wanted: bit }))),
      ...homes.flatMap(({ constants, enums }) =>
        // Offloads have the names of features, two of them other numbers.
        constants
          .filter(({ of }) => of !== "GuestOffloads")
          .map(({ specName, value, of }) => {
            const declared = enums.find(({ name }) => name === of);
            return { c: declared ? enumConstantName(specName, declared) : specName, wanted: Number(value) };
          }),
      ),
      ...model.devices.flatMap(({ tables }) =>
        tables.flatMap(({ entries }) => entries.map(({ specName, id }) => ({ c: specName, wanted: id }))),
      ),
    ];
    expect(numbers.length).toBeGreaterThan(800);
    expect(ask(numbers)).toEqual([]);
  });

  test("no macro is a plain word: status bits have the name of their enum in front", () => {
    const names = headers.flatMap(({ text }) => [...text.matchAll(/^#define (\w+) /gm)].map(([, name = ""]) => name));
    expect(
      names.filter((name) => !/^(P?VIRT|_Static_assert$|CCW_CMD_|RING_EVENT_FLAGS_|RSS_RQ_ID_|SCSI_SENSE_)/.test(name)),
    ).toEqual([]);
    expect(names).toContain("VIRTIO_DEVICE_STATUS_DRIVER_OK");
  });

  test("offloads keep their own numbers where they have the names of features", () => {
    expect(
      ask([
        { c: "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO", wanted: 65 },
        { c: "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_GUEST_OFFLOADS", wanted: 46 },
      ]),
    ).toEqual([]);
  });

  test("every struct has its size, and every field its place", () => {
    const sizes: Question[] = [];
    const places: Question[] = [];
    for (const home of [...model.devices, { ...model.shared, config: null }]) {
      const named = home.structs.filter(({ anonymous }) => !anonymous);
      for (const struct of home.config ? [...named, home.config] : named) {
        const tag = /^in6?_addr$/.test(struct.specName) ? `virtio_${struct.specName}` : struct.specName;
        if (struct.size === null || struct.size === 0) continue;
        sizes.push({ c: `sizeof(struct ${tag})`, wanted: struct.size });
        for (const [path, [offset, size, shift]] of layoutOf(struct.fields, [home, model.shared])) {
          // The header has masks for bit-fields.
          if (shift !== undefined || offset === null || size === null || size === 0) continue;
          const member = path.replaceAll(/\b(class|errno)\b/g, "$1_");
          places.push({ c: `offsetof(struct ${tag}, ${member})`, wanted: offset });
          places.push({ c: `sizeof(((struct ${tag} *)0)->${member})`, wanted: size });
        }
      }
    }
    expect(sizes.length).toBeGreaterThan(200);
    expect(ask(sizes)).toEqual([]);
    expect(ask(places)).toEqual([]);
  });
});
