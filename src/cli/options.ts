import { InvalidArgumentError, Option, type Command } from "commander";
import { formats } from "./reporter.js";

/** Options that every command has which finds things out. */
export function withReportOptions(command: Command): Command {
  return command
    .addOption(new Option("--format <format>", "how to show what was found").choices(formats).default("pretty"))
    .addOption(new Option("--color", "use colours even if nobody is looking"))
    .addOption(new Option("--no-color", "use no colours (so does NO_COLOR=1 in the environment)"));
}

/** Parses `--emit ts,json`. */
export function listOf<const Item extends string>(known: readonly Item[]): (value: string) => readonly Item[] {
  return (value) => {
    const items = value.split(",").map((word) => known.find((item) => item === word.trim()));
    const found = items.filter((item) => item !== undefined);
    if (found.length < items.length)
      throw new InvalidArgumentError(`give one or more of ${known.join(", ")}, with commas between`);
    return known.filter((item) => found.includes(item));
  };
}
