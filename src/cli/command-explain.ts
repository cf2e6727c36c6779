import { suggest } from "../diagnostics/suggest.js";
import { diagnosticTable, type TableEntry } from "../diagnostics/table.js";
import { ExitCode, UsageError } from "./exit-code.js";
import type { Io } from "./io.js";
import { readPackageFile } from "./package-files.js";

const rules: readonly (readonly [string, TableEntry])[] = Object.entries(diagnosticTable);

/** `virtio-gen explain`: the page of a code, or of the rule with that name; without one, the list of all. */
export function explainCommand(wanted: string | undefined, io: Io): ExitCode {
  if (wanted === undefined) {
    for (const [name, { code, severity }] of sortedRules())
      io.stdout.write(`${code}  ${severity.padEnd(7)}  ${name}\n`);
    return ExitCode.OK;
  }
  const [name, entry] = findRule(wanted);
  const page = readPackageFile(`docs/diagnostics/${entry.code}.md`);
  io.stdout.write(page ?? `# ${entry.code}: ${name}\n\nThere is no page about this ${entry.severity} yet.\n`);
  return ExitCode.OK;
}

function sortedRules(): readonly (readonly [string, TableEntry])[] {
  return [...rules].sort(([, a], [, b]) => (a.code < b.code ? -1 : 1));
}

/** Takes `VG2001`, `vg2001`, `2001` and `unknown-name`. */
function findRule(wanted: string): readonly [string, TableEntry] {
  const asCode = `VG${wanted.toUpperCase().replace(/^VG/, "")}`;
  const found = rules.find(([name, { code }]) => code === asCode || name === wanted.toLowerCase());
  if (found) return found;
  const codes = sortedRules().map(([, { code }]) => code as string);
  const names = sortedRules().map(([name]) => name);
  const close = /^(vg)?\d+$/i.test(wanted) ? suggest(asCode, codes) : suggest(wanted.toLowerCase(), names);
  const hint = close === undefined ? "`virtio-gen explain` lists all codes" : `did you mean ${close}?`;
  throw new UsageError(`there is no diagnostic ${wanted}; ${hint}`);
}
