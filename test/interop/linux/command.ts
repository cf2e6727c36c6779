import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs a program to its end. An Error with what it printed when it fails. */
export async function command(
  program: string,
  arguments_: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<string> {
  try {
    const { stdout } = await execute(program, arguments_, { ...options, encoding: "utf8", maxBuffer: 1 << 28 });
    return stdout;
  } catch (error) {
    const printed = error instanceof Error && "stderr" in error ? `\n${String(error.stderr).trim()}` : "";
    throw new Error(`${program} ${arguments_.slice(0, 3).join(" ")} failed${printed}`, { cause: error });
  }
}
