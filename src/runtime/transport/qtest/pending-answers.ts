import { QemuError } from "./qemu-error.js";

/** What is known of QEMU by those that talk to it. */
export interface QemuSurroundings {
  /** How long an answer may take, in milliseconds. */
  readonly answerTimeout: number;
  /** The same error with what QEMU printed; if the connection was lost, how QEMU ended, if that can be found out soon. */
  explain(error: QemuError, isLost: boolean): Promise<QemuError>;
}

/** Nothing is known but what the connection says. */
export const NOTHING_KNOWN: QemuSurroundings = { answerTimeout: 10_000, explain: (error) => Promise.resolve(error) };

/** How long is looked for an answer once more when it is overdue: this process itself may have been busy for so long. */
const GRACE = 250;

interface Waiting<Answer> {
  readonly command: string;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * Commands whose answers have not come yet; answers come in the order of the commands. Each of them is waited for a bounded
 * time: a QEMU that has fallen silent fails all of them.
 */
export class PendingAnswers<Answer> {
  readonly #around: QemuSurroundings;
  readonly #what: string;
  readonly #silent: (error: QemuError) => void;
  readonly #waiting: Waiting<Answer>[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Since when the first one waits. */
  #since = 0;
  #isLastLook = false;
  #ended: Promise<QemuError> | undefined;

  /**
   * @param what name of the protocol
   * @param silent called when an answer is overdue
   */
  constructor(what: string, around: QemuSurroundings, silent: (error: QemuError) => void) {
    this.#what = what;
    this.#around = around;
    this.#silent = silent;
    this.#timer = undefined;
    this.#ended = undefined;
  }

  /** Sends a command and waits for its answer. Rejects with a QemuError. */
  ask(command: string, send: (command: string) => void): Promise<Answer> {
    if (this.#ended !== undefined) {
      return this.#ended.then((error) => {
        throw error;
      });
    }
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) this.#since = Date.now();
      this.#waiting.push({ command, resolve, reject });
      this.#timer ??= setTimeout(this.#look, this.#around.answerTimeout);
      send(command);
    });
  }

  /** Takes the command that the next answer is for. */
  next(): Waiting<Answer> | undefined {
    this.#since = Date.now();
    this.#isLastLook = false;
    return this.#waiting.shift();
  }

  /** Nothing is answered any more. `isLost`: the connection has gone. */
  end(error: QemuError, isLost: boolean): void {
    if (this.#ended !== undefined) return;
    clearTimeout(this.#timer);
    const waiting = this.#waiting.splice(0);
    this.#ended = this.#around.explain(error, isLost);
    void this.#ended.then((reason) => {
      for (const asked of waiting) asked.reject(reason);
    });
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first === undefined) return;
    let left = this.#since + this.#around.answerTimeout - Date.now();
    if (left <= 0 && !this.#isLastLook) {
      this.#isLastLook = true;
      left = GRACE;
    }
    if (left > 0) {
      this.#timer = setTimeout(this.#look, left);
      return;
    }
    const seconds = String(this.#around.answerTimeout / 1000);
    this.#silent(new QemuError(`${this.#what} has not answered "${first.command.slice(0, 200)}" for ${seconds} s`));
  };
}
