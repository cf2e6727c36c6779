import type { Socket } from "node:net";
import { LineSocket } from "./line-socket.js";
import { QemuError } from "./qemu-error.js";

/** An event of QMP. */
export interface QmpEvent {
  readonly event: string;
  readonly data?: unknown;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** QEMU's monitor protocol. */
export class QmpClient {
  readonly #lines: LineSocket;
  readonly #waiting: Waiting[] = [];
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #ended: QemuError | undefined;

  private constructor(socket: Socket) {
    this.#lines = new LineSocket(
      socket,
      (line) => this.#line(line),
      (error) => this.#end(error),
    );
  }

  /** Agrees on the protocol's capabilities. */
  static async open(socket: Socket): Promise<QmpClient> {
    const client = new QmpClient(socket);
    await client.execute("qmp_capabilities");
    return client;
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Runs a command and returns what it answers. Rejects with a QemuError when QEMU refuses it. */
  execute(command: string, parameters: object = {}): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#lines.send(JSON.stringify({ execute: command, arguments: parameters }));
    });
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
    } else if ("return" in message) this.#waiting.shift()?.resolve(message.return);
    else if ("error" in message) this.#waiting.shift()?.reject(new QemuError(`QMP: ${JSON.stringify(message.error)}`));
  }

  #end(error: QemuError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#lines.close();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}
