import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { DiagnosticBag } from "../../../src/diagnostics/diagnostic.js";
import { inOrder } from "../../../src/language/lexer.js";
import { parseWithTokens } from "../../../src/language/parse.js";
import { EndOfDefine, Semicolon } from "../../../src/language/tokens.js";

/** What formatting must keep, in a form that can be compared. */
export interface Facts {
  /** The tree without places and without comments. */
  readonly tree: unknown;
  /** Comments, documentation and directives in order, without the white space at the ends of their lines. */
  readonly comments: readonly string[];
  /** Every other token as it is spelled, but for `;` and the ends of lines. */
  readonly tokens: readonly string[];
}

/** The facts of a text; `undefined` if it has errors. */
export function factsOf(text: string): Facts | undefined {
  const bag = new DiagnosticBag();
  const { file, tokens } = parseWithTokens({ name: "x.virtio", text }, bag);
  if (bag.hasErrors) return undefined;
  return {
    tree: withoutSpans(file.items),
    comments: inOrder([...tokens.comments, ...tokens.documentation]).map((comment) =>
      comment.image
        .split(/\r\n|\r|\n/)
        .map((line) => line.trim())
        .join("\n"),
    ),
    tokens: tokens.tokens
      .filter((token) => token.tokenType !== EndOfDefine && token.tokenType !== Semicolon)
      .map((token) => token.image.replace(/^#[ \t]*define$/, "#define")),
  };
}

function withoutSpans(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => {
      if (key === "span") return undefined;
      return typeof inner === "bigint" ? `${inner}n` : inner;
    }),
  );
}

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** All definitions of the repository that have no syntax errors: names relative to its root, with their texts. */
export function corpus(): readonly (readonly [name: string, text: string])[] {
  return ["dsl", "examples", "test/fixtures"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".virtio"))
        .map((entry) => join(entry.parentPath, entry.name)),
    )
    .map((path) => [relative(root, path).replaceAll("\\", "/"), readFileSync(path, "utf8")] as const)
    .filter(([, text]) => factsOf(text) !== undefined);
}
