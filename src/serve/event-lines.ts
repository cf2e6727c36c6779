import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { parseEventLine, type Keyboard } from "./keyboard.js";
import { fileProblem } from "./served-device.js";

/** Between two looks at a keyboard whose driver takes nothing, in milliseconds. */
const WAIT = 20;

/**
 * Feeds a keyboard with the lines of a file, or of the standard input for `-`; ends with it. Lines that are no events are
 * told to `report` and left out.
 * @throws ServeError when the file cannot be read.
 */
export async function feedKeyboard(
  keyboard: Keyboard,
  path: string,
  report: (error: Error) => void,
  signal: AbortSignal,
): Promise<void> {
  const input = path === "-" ? process.stdin : createReadStream(path);
  const lines = createInterface({ input, signal });
  try {
    for await (const line of lines) {
      const event = parse(line, report);
      while (event !== undefined && !signal.aborted && !keyboard.send(...event)) {
        await new Promise((resolve) => setTimeout(resolve, WAIT));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw fileProblem(path, error);
  } finally {
    lines.close();
    // An open standard input keeps the program alive.
    if (input === process.stdin) process.stdin.destroy();
  }
}

function parse(line: string, report: (error: Error) => void): ReturnType<typeof parseEventLine> {
  try {
    return parseEventLine(line);
  } catch (error) {
    report(error instanceof Error ? error : new Error(String(error)));
    return undefined;
  }
}
