import type { Socket } from "node:net";
import { QemuError } from "./qemu-error.js";

/** No line of either protocol is longer, save for memory that was asked for. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** A socket that speaks in lines. */
export class LineSocket {
  readonly #socket: Socket;
  #pieces: string[] = [];
  #pending = 0;

  /**
   * @param onLine called with each line, without its end
   * @param onEnd called once, when the connection is gone
   */
  constructor(socket: Socket, onLine: (line: string) => void, onEnd: (error: QemuError) => void) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    let ended = false;
    const end = (text: string): void => {
      if (ended) return;
      ended = true;
      socket.destroy();
      onEnd(new QemuError(text));
    };
    socket.on("data", (chunk: string) => {
      if (ended) return;
      const lines = chunk.split("\n");
      const last = lines.pop() ?? "";
      for (const line of lines) {
        const whole = this.#pieces.length === 0 ? line : this.#pieces.join("") + line;
        this.#pieces = [];
        this.#pending = 0;
        onLine(whole.endsWith("\r") ? whole.slice(0, -1) : whole);
      }
      if (last === "") return;
      this.#pieces.push(last);
      this.#pending += last.length;
      if (this.#pending > LONGEST_LINE) end("a line without an end");
    });
    socket.on("error", (error) => end(`the connection failed: ${error.message}`));
    socket.on("close", () => end("the connection was closed"));
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`, "latin1");
  }
  close(): void {
    this.#socket.destroy();
  }
}
