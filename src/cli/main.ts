#!/usr/bin/env node
import { ExitCode } from "./exit-code.js";
import { processIo } from "./io.js";
import { internalErrorText, run } from "./run.js";

// Whoever reads our output may stop reading (`| head`): that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});
process.on("uncaughtException", (error) => {
  process.stderr.write(internalErrorText(error, process));
  process.exit(ExitCode.INTERNAL);
});

process.exitCode = await run(process.argv.slice(2), processIo());
