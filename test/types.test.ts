import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

/*
 * The files in test/types are never run. A line that must not compile has a directive before it that tells the error:
 *
 *   // @ts-expect-error TS2540: part of the message
 *
 * Each file is compiled as it is, where the directives have to suppress all errors, and once more as a copy in which
 * they are ordinary comments, where exactly these errors have to come up: the number alone would also be right if a name
 * had been renamed.
 */

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "test", "types");
const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));

const directive = "@ts-expect-error";
const disarmed = "@__ expected __@";
const copySuffix = ".disarmed.ts";

interface Expected {
  /** Line that the error is in, from 1. */
  readonly line: number;
  readonly code: string;
  readonly text: string;
}

function readOptions(): ts.CompilerOptions {
  const path = join(root, "tsconfig.json");
  const { config, error } = ts.readConfigFile(path, (file) => ts.sys.readFile(file)) as {
    config: unknown;
    error?: ts.Diagnostic;
  };
  if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, "\n"));
  // The files of the project are not wanted here, and finding them takes time.
  return ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root).options;
}

/** One program for all files and their copies; libraries and generated code are parsed once. */
function compile(): ts.Program {
  const copies = new Map(
    names.map((name) => [copyOf(name), readFileSync(join(folder, name), "utf8").replaceAll(directive, disarmed)]),
  );
  const options = readOptions();
  const host = ts.createCompilerHost(options);
  const disk = { ...host };
  host.fileExists = (path) => copies.has(resolve(path)) || disk.fileExists(path);
  host.readFile = (path) => copies.get(resolve(path)) ?? disk.readFile(path);
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const copy = copies.get(resolve(path));
    if (copy === undefined) return disk.getSourceFile(path, languageVersion, ...rest);
    return ts.createSourceFile(path, copy, languageVersion);
  };
  return ts.createProgram([...names.map((name) => join(folder, name)), ...copies.keys()], options, host);
}

function copyOf(name: string): string {
  return join(folder, name.replace(/\.ts$/, copySuffix));
}

function diagnosticsOf(program: ts.Program, path: string): readonly string[] {
  const source = program.getSourceFile(path);
  if (source === undefined) throw new Error(`${path} is not in the program`);
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((diagnostic) => {
    const { line } = source.getLineAndCharacterOfPosition(diagnostic.start ?? 0);
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, " ");
    return `${line + 1}: TS${diagnostic.code}: ${text}`;
  });
}

/** What the directives of a file say; a directive is for the next line that is not a comment. */
function expectedIn(name: string): Expected[] {
  const lines = readFileSync(join(folder, name), "utf8").split("\n");
  const expected: Expected[] = [];
  lines.forEach((text, index) => {
    if (!text.includes(directive)) return;
    const parts = /^\s*\/\/ @ts-expect-error (TS\d+): (.+)$/.exec(text);
    if (parts === null)
      throw new Error(`${name}:${index + 1}: write "// ${directive} TS<number>: <part of the message>"`);
    let line = index + 1;
    while (lines[line]?.trimStart().startsWith("//") === true) line++;
    expected.push({ line: line + 1, code: parts[1] ?? "", text: parts[2] ?? "" });
  });
  return expected;
}

/** Expected errors that did not come up, and those in lines that none was expected in. */
function difference(expected: readonly Expected[], found: readonly string[]) {
  const missing = expected.filter(
    ({ line, code, text }) => !found.some((error) => error.startsWith(`${line}: ${code}: `) && error.includes(text)),
  );
  // One mistake may bring several errors.
  const lines = new Set(expected.map(({ line }) => `${line}`));
  const unexpected = found.filter((error) => !lines.has(error.slice(0, error.indexOf(":"))));
  return { missing, unexpected };
}

const program = compile();

test("the program is set up without a mistake", () => {
  expect(program.getOptionsDiagnostics().map(({ messageText }) => messageText)).toEqual([]);
  expect(program.getSourceFile(join(root, "generated", "blk.ts")), "virtio-gen/devices/blk").toBeDefined();
  expect(names.length).toBeGreaterThan(5);
});

describe.each(names)("%s", (name) => {
  test("compiles, its directives included", () => {
    expect(diagnosticsOf(program, join(folder, name))).toEqual([]);
  });

  test("has the errors that it tells of", () => {
    expect(difference(expectedIn(name), diagnosticsOf(program, copyOf(name)))).toEqual({ missing: [], unexpected: [] });
  });
});
