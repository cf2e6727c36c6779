import { Option, type Command } from "commander";
import { emitTargets } from "../compiler/emit-targets.js";
import { specVersions } from "../model/versions.js";
import type { BuildFlags } from "./command-build.js";
import type { ModelFlags } from "./command-check.js";
import type { DocsFlags } from "./command-docs.js";
import type { FormatFlags } from "./command-fmt.js";
import type { NewFlags } from "./command-new.js";
import type { ProbeFlags } from "./command-probe.js";
import type { ShowFlags } from "./command-show.js";
import type { ExitCode } from "./exit-code.js";
import type { Io } from "./io.js";
import { describeServe } from "./commands-serve.js";
import { listOf, withReportOptions } from "./options.js";
import type { ReportOptions } from "./reporter.js";

const pathsHelp = "definitions, and folders to search for them (default: this folder)";
const here = ["."];

/**
 * Adds every command to the program. `done` gets the exit code. A command's own code is loaded when it runs: what it needs
 * (grammar, layout of TypeScript) takes longer to load than most commands take to work.
 */
export function describeCommands(program: Command, io: Io, done: (exitCode: ExitCode) => void): void {
  program.addHelpText(
    "after",
    `
A definition says what a device is: features, configuration, queues, requests.
From nothing to running code:

  virtio-gen new thermometer              writes thermometer.virtio, with comments
  virtio-gen build . --out generated      makes generated/thermometer.ts of it
  virtio-gen help build                   tells more about a command

Exit codes: 0 all is well, 1 errors were found or files are out of date,
2 the command was used wrongly.`,
  );

  withReportOptions(
    program
      .command("build")
      .summary("make TypeScript of definitions")
      .description("Checks definitions and makes files of them. Nothing is written if there are errors.")
      .argument("[paths...]", pathsHelp)
      .option("-o, --out <folder>", "where the files go", "generated")
      .addOption(
        new Option("-e, --emit <kinds>", `what to make: ${emitTargets.join(", ")}`)
          .argParser(listOf(emitTargets))
          .default(["ts"], "ts"),
      )
      .addOption(
        new Option("--spec-version <version>", "leave out what came after this release of the specification").choices(
          specVersions,
        ),
      )
      .option("--check", "write nothing; say what is out of date, missing, or left over")
      .option("--cache-dir <folder>", "where results are kept for the next build (default: in node_modules/.cache)")
      .option("--no-cache", "neither use nor keep results of earlier builds")
      .addOption(new Option("-w, --watch", "build again whenever a definition changes").conflicts("check")),
  )
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen build                        all definitions below this folder
  virtio-gen build dsl --out generated    those in dsl
  virtio-gen build blk.virtio --emit ts,json
                                          blk.ts, and the model as model.json
  virtio-gen build dsl --emit c --out include
                                          virtio_blk.h and the others
  virtio-gen build dsl --watch            and again after every change
  virtio-gen build dsl --check            for CI: exit code 1 if a file in
                                          generated is not what it should be`,
    )
    .action(async (paths: string[], flags: BuildFlags) => {
      const { buildCommand } = await import("./command-build.js");
      done(await buildCommand(orHere(paths), flags, io));
    });

  withReportOptions(
    program
      .command("check")
      .summary("find mistakes in definitions")
      .description("Checks definitions and writes nothing.")
      .argument("[paths...]", `${pathsHelp}; - is the standard input`),
  )
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen check                        all definitions below this folder
  virtio-gen check blk.virtio --format plain
                                          one line a finding, for editors
  virtio-gen check dsl --format github    annotations in GitHub Actions
  virtio-gen check - < blk.virtio         from the standard input`,
    )
    .action(async (paths: string[], flags: ReportOptions) => {
      const { checkCommand } = await import("./command-check.js");
      done(await checkCommand(orHere(paths), flags, io));
    });

  program
    .command("model")
    .summary("print the checked model as JSON")
    .description(
      "Prints what the compiler has understood, as JSON: features, offsets, sizes, queues.\n" +
        "schema/model.schema.json in the package describes it.",
    )
    .argument("<paths...>", "definitions, folders, or - for the standard input")
    .addOption(
      new Option("--spec-version <version>", "leave out what came after this release of the specification").choices(
        specVersions,
      ),
    )
    .option("--color", "use colours in messages even if nobody is looking")
    .option("--no-color", "use no colours in messages")
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen model blk.virtio
  virtio-gen model dsl | jq '.devices[] | {name, id}'
  virtio-gen model dsl --spec-version 1.2`,
    )
    .action(async (paths: string[], flags: ModelFlags) => {
      const { modelCommand } = await import("./command-check.js");
      done(await modelCommand(paths, flags, io));
    });

  withReportOptions(
    program
      .command("docs")
      .summary("make reference pages")
      .description(
        "Makes a static site of definitions: byte maps, messages, constants. It needs no server and no network.",
      )
      .argument("[paths...]", pathsHelp)
      .option("-o, --out <folder>", "where the pages go", "site")
      .addOption(
        new Option("--spec-version <version>", "leave out what came after this release of the specification").choices(
          specVersions,
        ),
      ),
  )
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen docs dsl --out site          then open site/index.html
  virtio-gen docs blk.virtio --out site`,
    )
    .action(async (paths: string[], flags: DocsFlags) => {
      const { docsCommand } = await import("./command-docs.js");
      done(await docsCommand(orHere(paths), flags, io));
    });

  program
    .command("show")
    .summary("draw the byte map of a struct, config or request")
    .description("Draws where each byte is, in 80 columns. Fields that depend on a feature are marked.")
    .argument("<name>", "blk.config, blk.Request.In, or a name of the specification: virtio_net_hdr")
    .argument("[paths...]", "definitions, and folders to search for them (default: those of the package)")
    .option("--ascii", "as text, which is the default", true)
    .option("--color", "use colours in messages even if nobody is looking")
    .option("--no-color", "use no colours in messages")
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen show blk.config
  virtio-gen show virtio_net_hdr
  virtio-gen show thermometer.Request thermometer.virtio`,
    )
    .action(async (name: string, paths: string[], flags: ShowFlags) => {
      const { showCommand } = await import("./command-show.js");
      done(await showCommand(name, paths, flags, io));
    });

  withReportOptions(
    program
      .command("fmt")
      .summary("lay definitions out")
      .description("Lays definitions out in the one usual form. Comments and the way numbers are written stay.")
      .argument("[paths...]", `${pathsHelp}; - reads the standard input and prints`)
      .option("--check", "write nothing; exit code 1 if something would change"),
  )
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen fmt                          all definitions below this folder
  virtio-gen fmt dsl --check              for CI
  virtio-gen fmt - < blk.virtio           prints the result`,
    )
    .action(async (paths: string[], flags: FormatFlags) => {
      const { fmtCommand } = await import("./command-fmt.js");
      done(await fmtCommand(orHere(paths), flags, io));
    });

  withReportOptions(
    program
      .command("new")
      .summary("write a first definition")
      .description("Writes <name>.virtio: a small definition with comments, which compiles as it is.")
      .argument("<name>", "name of the device: small letters, digits, _")
      .option("-d, --dir <folder>", "where to put it", ".")
      .option("--id <number>", "number of the device; the default is for experiments", "0x3f")
      .option("-f, --force", "replace the file if there is one"),
  )
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen new thermometer
  virtio-gen new thermometer --dir devices --id 60`,
    )
    .action(async (name: string, flags: NewFlags) => {
      const { newCommand } = await import("./command-new.js");
      done(await newCommand(name, flags, io));
    });

  program
    .command("probe")
    .summary("look at QEMU's virtio devices, and check how they reset queues")
    .description(
      "Starts QEMU without a guest and drives its virtio devices: features, configuration, queues,\n" +
        "and a table of checks with the clauses that they stand for. Needs QEMU 6 or newer, and koffi.",
    )
    .argument("[arguments...]", "arguments for QEMU, behind --")
    .addOption(new Option("--machine <board>", "virtio over PCI or over MMIO").choices(["pc", "microvm"]).default("pc"))
    .addOption(
      new Option("--device <device>", "add a device, with a disk or a network behind it where it needs one; repeatable")
        .argParser((value: string, before: readonly string[]) => [...before, value])
        .default([], "none"),
    )
    .option("--qemu <program>", "the program to start", "qemu-system-x86_64")
    .option("--json", "print the report as JSON")
    .option("--color", "use colours even if nobody is looking")
    .option("--no-color", "use no colours")
    .addHelpText(
      "after",
      `
Exit codes: 0 no check failed, 1 one has, 2 there was nothing to check.

Examples:
  virtio-gen probe --device virtio-net-pci
  virtio-gen probe --machine microvm --device virtio-blk-device
  virtio-gen probe -- -device virtio-rng-pci -device virtio-balloon-pci`,
    )
    .action(async (rest: string[], flags: ProbeFlags) => {
      const { probeCommand } = await import("./command-probe.js");
      done(await probeCommand(rest, flags, io));
    });

  describeServe(program, io, done);

  program
    .command("explain")
    .summary("tell what a message means and what to do about it")
    .description("Prints the page about a diagnostic: what the rule is, an example, and a way out.")
    .argument("[code]", "VG2001, 2001 or unknown-name; without one all codes are listed")
    .addHelpText(
      "after",
      `
Examples:
  virtio-gen explain VG2001
  virtio-gen explain unknown-name
  virtio-gen explain                      all codes`,
    )
    .action(async (code: string | undefined) => {
      const { explainCommand } = await import("./command-explain.js");
      done(explainCommand(code, io));
    });
}

function orHere(paths: readonly string[]): readonly string[] {
  return paths.length === 0 ? here : paths;
}
