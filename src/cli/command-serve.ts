import type { Serving, Wanted } from "../serve/index.js";
import { ExitCode, UsageError } from "./exit-code.js";
import type { Io } from "./io.js";

/** How often the status line is drawn, in milliseconds. */
const TICK = 1000;

/**
 * `virtio-gen serve`: a device of something on this machine, until the user asks to stop. What cannot be opened counts as a
 * command that was used wrongly.
 */
export async function serveCommand(wanted: Wanted, socket: string, io: Io): Promise<ExitCode> {
  const stopped = new Promise<void>((resolve) => io.onStop(resolve));
  // Generated devices and the runtime: nothing else of the command needs them.
  const { startServing } = await import("../serve/index.js");
  const status = new StatusLine(io);
  let serving: Serving;
  try {
    serving = await startServing(wanted, {
      socket,
      onConnect: () => status.say("connected"),
      onDisconnect: (problem) =>
        status.say(problem === undefined ? "disconnected" : `disconnected: ${problem.message}`),
      onError: (error) => status.say(error.message),
    });
  } catch (error) {
    if (error instanceof Error && error.name === "ServeError") throw new UsageError(error.message);
    throw error;
  }
  io.stdout.write(`Serving ${wanted.kind} on ${socket}. Attach QEMU with\n\n${serving.qemu}\n\n`);
  const refresh = (): void => {
    const found = serving.refresh();
    if (found !== undefined) status.say(found);
  };
  process.on("SIGHUP", refresh);
  status.start(serving);
  await stopped;
  status.end();
  process.off("SIGHUP", refresh);
  await serving.close();
  io.stdout.write(`Stopped after ${count(serving.served)} ${serving.unit}.\n`);
  return ExitCode.OK;
}

/** One line at the bottom that tells how much is going on; only where somebody looks. */
class StatusLine {
  readonly #io: Io;
  #timer: NodeJS.Timeout | undefined;
  #shown = "";

  constructor(io: Io) {
    this.#io = io;
    this.#timer = undefined;
  }

  /** Prints a line that stays. */
  say(text: string): void {
    this.#clear();
    this.#io.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${text}\n`);
    this.#draw();
  }

  start(serving: Serving): void {
    if (!this.#io.stderr.isTerminal) return;
    let before = serving.served;
    this.#timer = setInterval(() => {
      const now = serving.served;
      this.#clear();
      this.#shown = `${count(now - before)} ${serving.unit} a second, ${count(now)} in all`;
      before = now;
      this.#draw();
    }, TICK);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#clear();
    this.#shown = "";
  }

  #draw(): void {
    if (this.#shown !== "") this.#io.stderr.write(this.#shown);
  }
  #clear(): void {
    if (this.#shown !== "") this.#io.stderr.write("\r\u001b[K");
  }
}

function count(number: number): string {
  return number.toLocaleString("en-US");
}
