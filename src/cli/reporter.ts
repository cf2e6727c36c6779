import type { Diagnostic } from "../diagnostics/diagnostic.js";
import { paletteOf, type Palette } from "../diagnostics/render-colour.js";
import { renderGithub } from "../diagnostics/render-github.js";
import { jsonDiagnostics } from "../diagnostics/render-json.js";
import { renderPlain } from "../diagnostics/render-plain.js";
import { renderPretty } from "../diagnostics/render-pretty.js";
import { countOf, hasErrors, sortDiagnostics, tally, tallyText } from "../diagnostics/render-text.js";
import { ExitCode } from "./exit-code.js";
import type { Io, Output } from "./io.js";

export const formats = ["pretty", "plain", "json", "github"] as const;
export type Format = (typeof formats)[number];

export interface ReportOptions {
  readonly format: Format;
  /** As given on the command line; `undefined` leaves it to the terminal and the environment. */
  readonly color?: boolean | undefined;
}

/** More than that nobody reads at once; programs get them all. */
const SHOWN_AT_ONCE = 50;

/** Shows what a command found and did, in the format that was asked for. */
export class Reporter {
  readonly #io: Io;
  readonly #options: ReportOptions;
  /** For what goes to the standard output. */
  readonly palette: Palette;

  constructor(io: Io, options: ReportOptions) {
    this.#io = io;
    this.#options = options;
    this.palette = paletteOf(usesColour(io.stdout, io.env, options.color));
  }

  /**
   * Shows findings: for people on the standard error, for programs on the standard output. In JSON it is one document,
   * with what `details` adds to it.
   */
  diagnostics(diagnostics: readonly Diagnostic[], details: Readonly<Record<string, unknown>> = {}): ExitCode {
    const sorted = sortDiagnostics(diagnostics);
    const { stdout, stderr } = this.#io;
    switch (this.#options.format) {
      case "json": {
        const report = { diagnostics: jsonDiagnostics(sorted), ...tally(sorted), ...details };
        stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
        break;
      }
      case "github":
        if (sorted.length > 0) stdout.write(renderGithub(sorted));
        break;
      case "plain":
        if (sorted.length > 0) stderr.write(renderPlain(sorted));
        break;
      case "pretty":
        if (sorted.length > 0) stderr.write(this.#pretty(sorted));
        break;
    }
    return hasErrors(sorted) ? ExitCode.ERRORS : ExitCode.OK;
  }

  /** A line for people about what was done; left out where a program reads. */
  note(text: string): void {
    if (this.#options.format !== "json") this.#io.stdout.write(`${text}\n`);
  }

  #pretty(sorted: readonly Diagnostic[]): string {
    const { stderr, env } = this.#io;
    const colour = usesColour(stderr, env, this.#options.color);
    const columns = stderr.columns === undefined ? {} : { columns: stderr.columns };
    const shown = renderPretty(sorted.slice(0, SHOWN_AT_ONCE), { colour, ...columns });
    const more = sorted.length - SHOWN_AT_ONCE;
    const rest = more > 0 ? `(${countOf(more, "more finding")} not shown; --format plain shows all)\n` : "";
    const palette = paletteOf(colour);
    const paint = hasErrors(sorted) ? palette.error : palette.warning;
    return `${shown}${rest}${paint(`${tallyText(tally(sorted))} found`)}\n`;
  }
}

/** An option decides first, then FORCE_COLOR, then NO_COLOR, then whether somebody is looking. */
export function usesColour(output: Output, env: Io["env"], option: boolean | undefined): boolean {
  if (option !== undefined) return option;
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  return output.isTerminal && env["TERM"] !== "dumb";
}
