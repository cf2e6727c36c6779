import { suggest } from "../diagnostics/suggest.js";
import { asciiByteMap, findLayouts, layoutNames, type Layout } from "../emit/ascii/index.js";
import type { Model } from "../model/device-model.js";
import { checkPaths } from "./command-check.js";
import { ExitCode, UsageError } from "./exit-code.js";
import type { Io } from "./io.js";
import { packageFolder } from "./package-files.js";
import { Reporter, type ReportOptions } from "./reporter.js";

export interface ShowFlags extends Pick<ReportOptions, "color"> {
  /** The only way to show a map so far. */
  readonly ascii: boolean;
}

/** `virtio-gen show`. The map goes to the standard output, findings to the standard error. Without paths: the package's own definitions. */
export async function showCommand(name: string, paths: readonly string[], flags: ShowFlags, io: Io): Promise<ExitCode> {
  const reporter = new Reporter({ ...io, stdout: io.stderr }, { ...flags, format: "pretty" });
  const wanted = paths.length === 0 ? [`${packageFolder()}/dsl`] : paths;
  const { exitCode, model } = await checkPaths(wanted, reporter, io);
  if (!model) return exitCode;
  io.stdout.write(layoutText(findOne(model, name)));
  return ExitCode.OK;
}

function findOne(model: Model, name: string): Layout {
  const [first, second] = findLayouts(model, name);
  if (!first) {
    const close = suggest(name, layoutNames(model));
    const hint =
      close === undefined ? "it shows structs, requests and the config of a device" : `did you mean ${close}?`;
    throw new UsageError(`there is no layout ${name}; ${hint}`);
  }
  if (second) {
    const places = findLayouts(model, name).map(({ names }) => names[0] ?? "");
    throw new UsageError(`${name} could be ${places.join(" or ")}; say which`);
  }
  return first;
}

function layoutText({ names, specName, doc, spec, size, scope, streams }: Layout): string {
  const place = names[0] === specName ? specName : `${specName} (${names[0] ?? ""})`;
  const facts = [place, ...(size === null ? [] : [`${size} bytes`]), ...(spec === null ? [] : [`section ${spec}`])];
  const maps = streams.map(({ heading, fields }) => {
    const title = heading === "" ? "" : `${heading}\n${"=".repeat(heading.length)}\n\n`;
    return `${title}${asciiByteMap(fields, scope)}`;
  });
  return [`${facts.join(", ")}\n${doc === "" ? "" : `${doc}\n`}`, ...maps].join("\n");
}
