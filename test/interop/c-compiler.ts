import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The system's compilers, and questions that can be put to them. */

export const languages = {
  c: { command: process.env["CC"] ?? "cc", flags: ["-std=c11", "-x", "c"] },
  "c++": { command: process.env["CXX"] ?? "c++", flags: ["-std=c++17", "-x", "c++"] },
} as const;
export type Language = keyof typeof languages;

export interface Answer {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export function run(command: string, arguments_: readonly string[], input?: string): Answer {
  const { status, stdout, stderr } = spawnSync(command, arguments_, { encoding: "utf8", input, maxBuffer: 1 << 28 });
  return { status, out: stdout, err: stderr };
}

/** Why a compiler cannot be asked, or undefined. */
export function missingCompiler(language: Language): string | undefined {
  const { command } = languages[language];
  return spawnSync(command, ["--version"]).error ? `there is no ${command}` : undefined;
}

/** Checks a text without making anything of it; gives what the compiler says, "" if all is well. */
export function check(language: Language, text: string, flags: readonly string[] = []): string {
  const { command, flags: own } = languages[language];
  const { status, err } = run(command, ["-fsyntax-only", ...flags, ...own, "-"], text);
  return status === 0 ? err : err === "" ? "it failed without a word" : err;
}

/**
 * Values of integer expressions in C, undefined for those that do not compile: what is not in the headers.
 *
 * @param includes What comes before the expressions.
 */
export function values(
  expressions: readonly string[],
  includes: string,
  flags: readonly string[] = [],
): readonly (number | undefined)[] {
  if (expressions.length === 0) return [];
  const { command } = languages.c;
  const start = `#include <stddef.h>\n#include <stdio.h>\n${includes}`;
  // A function for each, because the compiler complains of a missing name once a function.
  const lineOf = (index: number): string =>
    `long long probe_${index}(void) { return (${expressions[index] ?? ""}); }\n`;
  const probes = `${start}#line 1 "probes"\n${expressions.map((_, index) => lineOf(index)).join("")}`;
  const { err } = run(command, ["-fsyntax-only", "-w", "-fmax-errors=0", ...flags, "-x", "c", "-"], probes);
  const failed = new Set([...err.matchAll(/^probes:(\d+):/gm)].map((found) => Number(found[1]) - 1));
  const known = expressions.flatMap((expression, index) => (failed.has(index) ? [] : [{ expression, index }]));
  if (known.length === 0) return expressions.map(() => undefined);
  const folder = mkdtempSync(join(tmpdir(), "virtio-gen-"));
  try {
    const source = join(folder, "values.c");
    const program = join(folder, "values");
    const lines = known.map(({ expression, index }) => `  printf("${index} %lld\\n", (long long)(${expression}));\n`);
    writeFileSync(source, `${start}int main(void) {\n${lines.join("")}  return 0;\n}\n`);
    const built = run(command, ["-w", ...flags, "-o", program, source]);
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
