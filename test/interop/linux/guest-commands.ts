import type { CommandResult } from "./agent-connection.js";
import { within } from "./within.js";

/** For how long a command may run, in seconds. */
const PATIENCE = 300;

/** What runs commands in the guest. */
export interface GuestAgent {
  /** Rejects when the guest goes away before the command ends. */
  run(command: string): Promise<CommandResult>;
  close(): void;
}

/** The program that a guest runs in. */
export interface GuestProcess {
  /** Fulfilled when it is gone. */
  readonly exited: Promise<void>;
  /** Rejected when it is gone. */
  readonly ended: Promise<never>;
}

/** A Linux in which a test runs commands, whatever it runs in. */
export abstract class GuestCommands {
  readonly #agent: GuestAgent;
  /** Rejected when the program is gone that the guest runs in at the time. */
  readonly #gone: Promise<never>;
  #process: GuestProcess;
  #lose: (error: unknown) => void = () => undefined;

  constructor(agent: GuestAgent, process: GuestProcess) {
    this.#agent = agent;
    this.#gone = new Promise((_, reject) => (this.#lose = reject));
    this.#gone.catch(() => undefined);
    this.#process = process;
    this.#watch(process);
  }

  /** Ends the guest at once. Safe to call twice. */
  abstract close(): Promise<void>;
  /** What the guest wrote to its console and what the program printed, for the message of a failure. */
  abstract account(): string;

  /**
   * Runs a command of the shell and gives what it printed.
   * @param seconds How long it may take; 300 if absent.
   * @throws Error when it fails or takes longer.
   */
  async run(command: string, seconds: number = PATIENCE): Promise<string> {
    const { status, output } = await this.attempt(command, seconds);
    if (status !== 0) throw new Error(`in the guest, \`${command}\` ended with status ${status}:\n${output}`);
    return output;
  }

  /**
   * Runs a command of the shell, whatever its status.
   * @param seconds How long it may take; 300 if absent.
   * @throws Error when it takes longer.
   */
  async attempt(command: string, seconds: number = PATIENCE): Promise<CommandResult> {
    const complaint = `in the guest, \`${command}\` did not end within ${seconds} s`;
    return await within(seconds, complaint, Promise.race([this.#agent.run(command), this.#gone]));
  }

  /** Waits until a command succeeds, trying again and again. */
  async until(command: string, seconds: number = PATIENCE): Promise<string> {
    return await this.run(`while ! { ${command}\n}; do usleep 20000; done`, seconds);
  }

  /** Shuts the machine down as its own kernel does it, devices included, and waits for its end. */
  async powerOff(seconds: number = PATIENCE): Promise<void> {
    void this.#agent.run("sync; poweroff -f").catch(() => undefined);
    await within(seconds, "the guest does not power off", this.#process.exited);
  }

  /** The guest runs in another program now. */
  protected movedTo(process: GuestProcess): void {
    this.#process = process;
    this.#watch(process);
  }

  #watch(process: GuestProcess): void {
    process.ended.catch((error: unknown) => {
      if (process === this.#process) this.#lose(error);
    });
  }

  /** Gives the line to the agent up. */
  protected hangUp(): void {
    this.#agent.close();
  }
}
