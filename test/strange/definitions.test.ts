import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Linter } from "eslint";
import tseslint from "typescript-eslint";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { format } from "../../src/language/printer/index.js";
import { check, missingCompiler, type Language } from "../interop/c-compiler.js";
import { requirePeer } from "../interop/peers.js";
import { outputOf, strangeDevice, strangeNames, type StrangeDevice } from "./generated.js";

const devices: StrangeDevice[] = [];
for (const name of strangeNames) devices.push(await strangeDevice(name));
const each = devices.map((device) => [device.name, device] as const);

test("there are many of them", () => {
  expect(strangeNames.length).toBeGreaterThanOrEqual(12);
});

describe.each(each)("%s", (_, { name, text, result }) => {
  test("compiles without a word", () => {
    expect(result.diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([]);
    expect(result.outputs.map(({ path }) => path)).toContain(`virtio_${name.replace(".virtio", "")}.h`);
  });

  test("is formatted, and formatting it again changes nothing", async () => {
    expect(await format(text, name)).toBe(text);
  });
});

// ---- TypeScript ----

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const generated = new Map(
  devices
    .filter(({ result }) => result.outputs.length > 0)
    .map((device) => [
      join(root, "generated", `strange-${device.name.replace(".virtio", "")}.ts`),
      outputOf(device, ".ts"),
    ]),
);

function program(): ts.Program {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (file) => ts.sys.readFile(file)) as {
    config: unknown;
  };
  const ours = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root).options;
  // What the strictest configurations in use have beyond ours.
  const options = { ...ours, allowUnreachableCode: false, allowUnusedLabels: false, noImplicitReturns: true };
  const host = ts.createCompilerHost(options);
  const disk = { ...host };
  host.fileExists = (path) => generated.has(resolve(path)) || disk.fileExists(path);
  host.readFile = (path) => generated.get(resolve(path)) ?? disk.readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = generated.get(resolve(path));
    if (text === undefined) return disk.getSourceFile(path, languageVersion, ...rest);
    return ts.createSourceFile(path, text, languageVersion);
  };
  return ts.createProgram([...generated.keys()], options, host);
}

test("the TypeScript of all of them type-checks strictly", { timeout: 120_000 }, () => {
  const found = ts.getPreEmitDiagnostics(program()).map(({ file, start, messageText }) => {
    const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName ?? ""}:${String(line)} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
  expect(found).toEqual([]);
});

test("and declares nothing that it does not use, as a linter sees it", { timeout: 120_000 }, () => {
  const linter = new Linter();
  const found = [...generated].flatMap(([path, code]) =>
    linter
      .verify(
        code,
        [
          {
            files: ["**/*.ts"],
            languageOptions: { parser: tseslint.parser },
            plugins: { "@typescript-eslint": tseslint.plugin },
            rules: {
              "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
              "no-unused-private-class-members": "error",
              "no-useless-assignment": "error",
            },
          },
        ],
        basename(path),
      )
      .map(({ line, message }) => `${basename(path)}:${String(line)} ${message}`),
  );
  expect(found).toEqual([]);
});

// ---- C ----

for (const language of ["c", "c++"] as const satisfies readonly Language[]) {
  const present = await requirePeer(`a ${language === "c" ? "C" : "C++"} compiler`, () => missingCompiler(language));
  describe.runIf(present)(`as ${language}`, () => {
    test.each(each)("%s has a header that compiles without a warning", (_, device) => {
      const header = outputOf(device, ".h");
      const shared = device.result.outputs.find(({ path }) => path === "virtio_shared.h")?.text ?? "";
      const whole = shared + header.replace('#include "virtio_shared.h"', "");
      expect(check(language, whole, ["-Wall", "-Wextra", "-Wpedantic", "-Werror"])).toBe("");
    });
  });
}
