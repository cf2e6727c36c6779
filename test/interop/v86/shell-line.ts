import type { CommandResult } from "../linux/agent-connection.js";
import type { GuestAgent } from "../linux/guest-commands.js";

/** The test's end of the serial line on which `init` runs commands: one at a time, each a line. */
export class ShellLine implements GuestAgent {
  /** Fulfilled when the guest is up. */
  readonly ready: Promise<void>;
  readonly #send: (bytes: Uint8Array) => void;
  #becomeReady: () => void = () => undefined;
  #running: { resolve(result: CommandResult): void; reject(error: Error): void } | undefined;
  #bytes: number[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
    this.#running = undefined;
    this.ready = new Promise((resolve) => (this.#becomeReady = resolve));
  }

  /** A byte from the guest. */
  take(byte: number): void {
    this.#bytes.push(byte);
    if (byte !== 0x0a) return;
    const text = Buffer.from(this.#bytes).toString("latin1");
    if (this.#running === undefined) {
      if (text.endsWith("ready\n")) this.#becomeReady();
      this.#bytes = [];
      return;
    }
    const end = /\nend (\d+)\n$/.exec(text);
    if (end === null) return;
    const bytes = Buffer.from(this.#bytes.slice(0, end.index));
    this.#bytes = [];
    const running = this.#running;
    this.#running = undefined;
    running.resolve({ status: Number(end[1]), bytes, output: bytes.toString("utf8").replace(/\n+$/, "") });
  }

  run(command: string): Promise<CommandResult> {
    const result = this.#last.then(
      () =>
        new Promise<CommandResult>((resolve, reject) => {
          if (this.#isClosed) {
            reject(new Error("the guest is gone"));
            return;
          }
          this.#running = { resolve, reject };
          // A line of the shell's: line ends inside of it would be commands of their own.
          this.#send(Buffer.from(`${command.trim().replaceAll(/\s*\n\s*/g, "; ")}\n`));
        }),
    );
    this.#last = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#isClosed = true;
    this.#running?.reject(new Error("the guest is gone"));
    this.#running = undefined;
  }
}
