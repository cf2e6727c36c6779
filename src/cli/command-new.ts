import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { compile } from "../compiler/compile.js";
import { format } from "../language/printer/index.js";
import { ExitCode, UsageError } from "./exit-code.js";
import { shownPath } from "./file-span.js";
import type { Io } from "./io.js";
import { Reporter, type ReportOptions } from "./reporter.js";
import { starterDefinition } from "./starter.js";
import { writeFiles } from "./write-files.js";

export interface NewFlags extends ReportOptions {
  /** Folder that the file is put into. */
  readonly dir: string;
  /** Number of the device. */
  readonly id: string;
  readonly force?: boolean;
}

/** Device types are numbered by the specification; these are the numbers that PCI has room for. */
const MAXIMUM_ID = 0xffff - 0x1040;

/** `virtio-gen new`: writes a first definition, which compiles as it is, and says what to do next. */
export async function newCommand(name: string, flags: NewFlags, io: Io): Promise<ExitCode> {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name)) {
    throw new UsageError(
      `${JSON.stringify(name)} cannot be the name of a device: write small letters, digits and _, a letter first`,
    );
  }
  const id = /^(0x[0-9a-f]+|\d+)$/i.test(flags.id) ? Number(flags.id) : Number.NaN;
  if (!(id >= 1 && id <= MAXIMUM_ID)) throw new UsageError(`--id is a number from 1 to ${MAXIMUM_ID}`);
  const path = join(resolve(io.cwd, flags.dir), `${name}.virtio`);
  const shown = shownPath(path, io.cwd);
  if (existsSync(path) && !flags.force) throw new UsageError(`${shown} exists already; --force replaces it`);

  const starter = starterDefinition(name, flags.id);
  // The only thing in it that can be wrong is the name.
  const [wrong] = compile([{ name: shown, text: starter }]).diagnostics;
  if (wrong) throw new UsageError(`${name} cannot be the name of a device: ${wrong.message}`);
  const text = await format(starter, shown);
  const reporter = new Reporter(io, flags);
  const exitCode = reporter.diagnostics(writeFiles([{ path, text }], io.cwd), { files: [shown] });
  if (exitCode !== ExitCode.OK) return exitCode;
  reporter.note(`${reporter.palette.success(`${shown} written.`)} What you can do now:

  virtio-gen check ${shown}
      finds mistakes
  virtio-gen build ${shown} --out generated
      makes the TypeScript: generated/${name.replaceAll("_", "-")}.ts
  virtio-gen build ${shown} --out generated --watch
      does so again whenever you save
  virtio-gen model ${shown}
      shows what the compiler has understood
  virtio-gen fmt ${shown}
      lays the definition out`);
  return exitCode;
}
