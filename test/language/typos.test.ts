import { describe, expect, it } from "vitest";
import { positionAt } from "../../src/diagnostics/source.js";
import { allDefinitions, compile } from "./compiling.js";

/** What somebody may hit instead of a sign. */
const besides: Readonly<Record<string, string>> = {
  "{": "(", "}": ")", "(": "[", ")": "]", "[": "(", "]": ")", ";": ":", ",": ";", ":": ";", "=": "-", "=>": "=", "?": "/",
  ".": ",", "..": ".", "@": "2", "||": "|", "&&": "&", "==": "=", "<=": "=<", "<": ",", ">": ".", "+": "=", "*": "8",
}; // prettier-ignore

function misspelt(token: string): string {
  if (/^[A-Za-z_]/.test(token)) {
    const at = Math.max(0, (token.length >> 1) - 1);
    return token.length < 3
      ? `${token}x`
      : token.slice(0, at) + token.charAt(at + 1) + token.charAt(at) + token.slice(at + 2);
  }
  if (/^[0-9]/.test(token)) return `${token}q`;
  return token.startsWith('"') ? token.slice(0, -1) : (besides[token] ?? `${token}$`);
}

const typos: readonly [string, (token: string) => string][] = [
  ["left out", () => ""],
  ["written twice", (token) => `${token} ${token}`],
  ["misspelt", misspelt],
];
/** Tokens of a file that are tried; together with the length of the file they decide which. */
const samples = 60;

describe.each(allDefinitions())("$name with one token", ({ name, text, others, tokens }) => {
  it("as it is has no errors", () => {
    expect(compile(text, others, name)).toEqual([]);
  });

  it.each(typos)("%s has at most two errors, both where they can be understood", { timeout: 120_000 }, (_, edit) => {
    const step = Math.max(1, Math.floor(tokens.length / samples));
    let wrong = 0;
    for (let index = tokens.length % 7; index < tokens.length; index += step) {
      const { start, end } = tokens[index] ?? { start: 0, end: 0 };
      const typo = text.slice(0, start) + edit(text.slice(start, end)) + text.slice(end);
      const found = compile(typo, others, name);
      const shown = found.map(({ span, message }) => `${String(positionAt(span.source, span.start).line)}: ${message}`);
      const context = `${typo.slice(Math.max(0, start - 60), end + 60)}\n${shown.join("\n")}`;
      expect(found.length, context).toBeLessThanOrEqual(2);
      for (const { message } of found) expect(message, context).not.toMatch(/``|expected something else/);
      if (found.length > 0) wrong++;
    }
    expect(wrong).toBeGreaterThan(0);
  });
});
