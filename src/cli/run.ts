import { Command, CommanderError } from "commander";
import { VERSION } from "../compiler/version.js";
import { ExitCode, UsageError } from "./exit-code.js";
import type { Io } from "./io.js";
import { describeCommands } from "./commands.js";
import { usesColour } from "./reporter.js";

/** Runs the command with arguments (without `node` and the script). Gives its exit code and throws nothing. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = ExitCode.OK;
  const program = new Command("virtio-gen")
    .description("Makes typed TypeScript devices and drivers from definitions of virtio devices.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 80,
      getErrHelpWidth: () => io.stderr.columns ?? 80,
      getOutHasColors: () => usesColour(io.stdout, io.env, undefined),
      getErrHasColors: () => usesColour(io.stderr, io.env, undefined),
    })
    .showHelpAfterError("(virtio-gen --help shows what there is)");
  describeCommands(program, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed the message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
    if (error instanceof UsageError) {
      io.stderr.write(`error: ${error.message}\n`);
      return ExitCode.USAGE;
    }
    io.stderr.write(internalErrorText(error, io));
    return ExitCode.INTERNAL;
  }
}

/** A mistake of ours: nothing that the user wrote should lead here. */
export function internalErrorText(error: unknown, io: Pick<Io, "env">): string {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const debug = (io.env["VIRTIO_GEN_DEBUG"] ?? "") !== "";
  const stack = error instanceof Error && error.stack !== undefined ? error.stack : message;
  return `virtio-gen ${VERSION} has failed; this is a bug in it, not in your definition.
  ${debug ? stack : message.split("\n", 1).join("").slice(0, 300)}
Please report it with the command, the definition and ${debug ? "the text above" : "what VIRTIO_GEN_DEBUG=1 in the environment adds to this message"}.
`;
}
