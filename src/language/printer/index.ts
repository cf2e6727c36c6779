import type { CstNode } from "chevrotain";
import type { Plugin } from "prettier";
import { format as formatWithPrettier } from "prettier/standalone";
import { DiagnosticBag, type Diagnostic } from "../../diagnostics/diagnostic.js";
import type { Tokens } from "../lexer.js";
import { parseWithTokens } from "../parse.js";
import { printFile } from "./print-file.js";

/** Why a text was not formatted: it has errors, and formatting it could lose parts of it. */
export class FormatRefusal extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(name: string, diagnostics: readonly Diagnostic[]) {
    super(`${name} has errors and was not formatted`);
    this.name = "FormatRefusal";
    this.diagnostics = diagnostics;
  }
}

/** What the printer works on: the whole file, with every token and comment. */
interface ParsedText {
  readonly text: string;
  readonly cst: CstNode | undefined;
  readonly tokens: Tokens;
}

const printWidth = 120;

/** Prettier plugin for `.virtio` files. Throws `FormatRefusal` for a text with errors. */
export const virtioPlugin: Plugin<ParsedText> = {
  languages: [{ name: "virtio", parsers: ["virtio"], extensions: [".virtio"] }],
  parsers: {
    virtio: {
      astFormat: "virtio",
      parse(text, options) {
        const name = options.filepath || "input.virtio";
        const bag = new DiagnosticBag();
        const { tokens, cst } = parseWithTokens({ name, text }, bag);
        if (bag.hasErrors) throw new FormatRefusal(name, bag.sorted());
        return { text, tokens, cst };
      },
      locStart: () => 0,
      locEnd: (parsed) => parsed.text.length,
    },
  },
  printers: {
    virtio: {
      print(path) {
        const { text, cst, tokens } = path.node;
        return cst === undefined ? text : printFile(text, cst, tokens);
      },
      getVisitorKeys: () => [],
    },
  },
  defaultOptions: { printWidth },
};

export default virtioPlugin;

/** Formats a definition; `name` is for messages. Rejects with `FormatRefusal` if the text has errors. */
export function format(text: string, name: string): Promise<string> {
  const source = text.startsWith("\ufeff") ? text.slice(1) : text;
  return formatWithPrettier(source, { parser: "virtio", plugins: [virtioPlugin], filepath: name, printWidth });
}
