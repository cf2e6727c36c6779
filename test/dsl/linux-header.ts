import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Linux's headers, asked through the system's C compiler. */

const headers = ["virtio_ids", "virtio_config", "virtio_net", "virtio_blk", "virtio_console"];
const includes = `#include <stddef.h>\n#include <stdio.h>\n${headers
  .map((header) => `#include <linux/${header}.h>\n`)
  .join("")}`;

const compiler = process.env["CC"] ?? "cc";

function run(
  command: string,
  arguments_: readonly string[],
  input?: string,
): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(command, arguments_, { encoding: "utf8", input, maxBuffer: 1 << 26 });
  return { status, out: stdout, err: stderr };
}

/** Why there is nothing to ask, or undefined. */
export function missingHeaders(): string | undefined {
  const { error } = spawnSync(compiler, ["--version"]);
  if (error) return `there is no ${compiler}`;
  const { status, err } = run(compiler, ["-fsyntax-only", "-x", "c", "-"], includes);
  return status === 0
    ? undefined
    : (err.split("\n").find((line) => line.includes("error")) ?? "the headers do not compile");
}

/** Macros and structs that the headers define. */
export function definedNames(): { readonly macros: ReadonlySet<string>; readonly structs: ReadonlySet<string> } {
  const macros = run(compiler, ["-E", "-dM", "-x", "c", "-"], includes).out;
  const text = run(compiler, ["-E", "-P", "-x", "c", "-"], includes).out;
  return {
    macros: new Set([...macros.matchAll(/^#define (\w+) \S/gm)].flatMap((found) => found[1] ?? [])),
    structs: new Set([...text.matchAll(/\bstruct (\w+) \{/g)].flatMap((found) => found[1] ?? [])),
  };
}

/** Values of integer expressions in C, undefined for those that do not compile: what is not in the headers. */
export function values(expressions: readonly string[]): readonly (number | undefined)[] {
  if (expressions.length === 0) return [];
  // A function for each, because the compiler complains of a missing name once a function.
  const lineOf = (index: number): string =>
    `long long probe_${index}(void) { return (${expressions[index] ?? ""}); }\n`;
  const probes = `${includes}#line 1 "probes"\n${expressions.map((_, index) => lineOf(index)).join("")}`;
  const { err } = run(compiler, ["-fsyntax-only", "-w", "-fmax-errors=0", "-x", "c", "-"], probes);
  const failed = new Set([...err.matchAll(/^probes:(\d+):/gm)].map((found) => Number(found[1]) - 1));
  const known = expressions.flatMap((expression, index) => (failed.has(index) ? [] : [{ expression, index }]));
  if (known.length === 0) return expressions.map(() => undefined);
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-"));
  try {
    const source = join(folder, "values.c");
    const program = join(folder, "values");
    const lines = known.map(({ expression, index }) => `  printf("${index} %lld\\n", (long long)(${expression}));\n`);
    writeFileSync(source, `${includes}int main(void) {\n${lines.join("")}  return 0;\n}\n`);
    const built = run(compiler, ["-w", "-o", program, source]);
    if (built.status !== 0) throw new Error(`the probe program does not compile:\n${built.err}`);
    const result: (number | undefined)[] = expressions.map(() => undefined);
    for (const line of run(program, []).out.trim().split("\n")) {
      const [index = "", value = ""] = line.split(" ");
      result[Number(index)] = Number(value);
    }
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
