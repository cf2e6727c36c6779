import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { QueueAddresses } from "../../../src/runtime/ring/index.js";

const program = fileURLToPath(new URL("slow-disk.ts", import.meta.url));
const node = ["--expose-gc", "--import", import.meta.resolve("tsx"), "--conditions=virtio-gen-source", program];

export interface SlowDiskOptions {
  readonly socket: string;
  readonly image: string;
  /** A file that lines are added to. */
  readonly journal: string;
  readonly queues: number;
  readonly queueSize: number;
  readonly isPacked: boolean;
  /** Writes that stay unanswered, for the time being. */
  readonly hold: number;
}

/** What the process is told. */
export interface SlowDiskOrder {
  readonly serve?: true;
  readonly report?: true;
  readonly holdings?: true;
  readonly hold?: number;
  /** How many more writes it answers; any number if absent, from the last `hold` on. */
  readonly most?: number;
}

/** What it tells. */
export interface SlowDiskReport {
  /** Writes that are not answered. */
  readonly waiting: number;
  /** Writes that were answered. */
  readonly answered: number;
  /** What front ends or drivers did wrong, which none should. */
  readonly problems: readonly string[];
  readonly addresses: readonly (QueueAddresses | undefined)[];
}

/** What it holds on to. */
export interface Holdings {
  /** Open files, by kind and name. */
  readonly files: readonly string[];
  /** Number of mappings that are shared or as large as a guest's memory. */
  readonly mappings: number;
}

/** A line of the journal. */
export interface JournalEntry {
  readonly word: string;
  readonly queue: number;
  readonly type: string;
  /** Sector and generation: one write of one block. */
  readonly write: string;
}

/** A back end that can be killed and started again. */
export class SlowDiskProcess {
  readonly #child: ChildProcess;
  readonly #options: SlowDiskOptions;
  readonly #gone: Promise<unknown>;

  private constructor(child: ChildProcess, options: SlowDiskOptions) {
    this.#child = child;
    this.#options = options;
    this.#gone = once(child, "exit");
    const last = (): void => void child.kill("SIGKILL");
    process.once("exit", last);
    child.once("exit", () => process.removeListener("exit", last));
  }

  /** One that does not serve yet, so that it can be made while another one serves. */
  static async start(options: SlowDiskOptions): Promise<SlowDiskProcess> {
    const child = spawn(process.execPath, [...node, JSON.stringify(options)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const made = new SlowDiskProcess(child, options);
    await made.#message("ready");
    return made;
  }

  async serve(): Promise<void> {
    const serving = this.#message("serving");
    this.#send({ serve: true });
    await serving;
  }

  /** How many writes stay unanswered from now on, and how many are answered at most; all others if absent. */
  hold(writes: number, most?: number): void {
    this.#send(most === undefined ? { hold: writes } : { hold: writes, most });
  }

  async report(): Promise<SlowDiskReport> {
    const answer = this.#message();
    this.#send({ report: true });
    return (await answer) as SlowDiskReport;
  }

  /** What it tells as soon as that `is` as wanted. */
  async reported(is: (report: SlowDiskReport) => boolean, seconds: number): Promise<SlowDiskReport> {
    const end = Date.now() + 1000 * seconds;
    for (;;) {
      const report = await this.report();
      if (is(report)) return report;
      const { waiting, answered, problems } = report;
      if (Date.now() > end) {
        throw new Error([`after ${seconds} s: ${waiting} wait, ${answered} answered`, ...problems].join("\n"));
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async holdings(): Promise<Holdings> {
    const answer = this.#message();
    this.#send({ holdings: true });
    return (await answer) as Holdings;
  }

  /** What it holds on to, as soon as that is the same twice: what is gone may be closed a little later. */
  async settledHoldings(): Promise<Holdings> {
    for (let last = JSON.stringify(await this.holdings()); ;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const holdings = await this.holdings();
      if (JSON.stringify(holdings) === last) return holdings;
      last = JSON.stringify(holdings);
    }
  }

  /** Ends it, at once and without its knowing. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#gone;
  }

  /** The journal of all that served with it. */
  journal(): JournalEntry[] {
    const lines = readFileSync(this.#options.journal, "utf8").split("\n");
    return lines.slice(0, -1).map((line) => {
      const [word = "", queue = "", type = "", sector = "", generation = ""] = line.split(" ");
      return { word, queue: Number(queue), type, write: `${sector} ${generation}` };
    });
  }

  #send(order: SlowDiskOrder): void {
    this.#child.send(order);
  }

  async #message(text?: string): Promise<unknown> {
    const gone = this.#gone.then(() => {
      throw new Error("the back end ended by itself");
    });
    for (;;) {
      const [message] = (await Promise.race([once(this.#child, "message"), gone])) as unknown[];
      if (text === undefined ? typeof message === "object" : message === text) return message;
    }
  }
}
