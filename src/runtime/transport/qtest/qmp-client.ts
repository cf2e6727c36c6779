import type { Socket } from "node:net";
import { LineSocket } from "./line-socket.js";
import { NOTHING_KNOWN, PendingAnswers, type QemuSurroundings } from "./pending-answers.js";
import { QemuError } from "./qemu-error.js";

/** An event of QMP. */
export interface QmpEvent {
  readonly event: string;
  readonly data?: unknown;
}

/** QEMU's monitor protocol. */
export class QmpClient {
  readonly #lines: LineSocket;
  readonly #pending: PendingAnswers<unknown>;
  readonly #listeners = new Set<(event: QmpEvent) => void>();

  private constructor(socket: Socket, around: QemuSurroundings = NOTHING_KNOWN) {
    this.#pending = new PendingAnswers("QMP", around, (error) => this.#end(error));
    this.#lines = new LineSocket(
      socket,
      (line) => this.#line(line),
      (error) => this.#end(error, true),
    );
  }

  /** Agrees on the protocol's capabilities. */
  static async open(socket: Socket, around: QemuSurroundings = NOTHING_KNOWN): Promise<QmpClient> {
    const client = new QmpClient(socket, around);
    await client.execute("qmp_capabilities");
    return client;
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Runs a command and returns what it answers. Rejects with a QemuError when QEMU refuses it. */
  execute(command: string, parameters: object = {}): Promise<unknown> {
    return this.#pending.ask(JSON.stringify({ execute: command, arguments: parameters }), (line) =>
      this.#lines.send(line),
    );
  }

  close(): void {
    this.#lines.close();
  }

  #line(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#end(new QemuError(`QMP said "${line.slice(0, 200)}", which is no JSON`));
      return;
    }
    if (typeof message !== "object" || message === null || "QMP" in message) return;
    if ("event" in message && typeof message.event === "string") {
      const data: unknown = "data" in message ? message.data : undefined;
      for (const listener of [...this.#listeners]) listener({ event: message.event, data });
    } else if ("return" in message) this.#pending.next()?.resolve(message.return);
    else if ("error" in message) this.#pending.next()?.reject(new QemuError(`QMP: ${JSON.stringify(message.error)}`));
  }

  #end(error: QemuError, isLost = false): void {
    this.#pending.end(error, isLost);
    this.#lines.close();
  }
}
