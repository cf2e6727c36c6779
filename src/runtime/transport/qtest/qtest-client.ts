import type { Socket } from "node:net";
import { LineSocket } from "./line-socket.js";
import { NOTHING_KNOWN, PendingAnswers, type QemuSurroundings } from "./pending-answers.js";
import { QemuError } from "./qemu-error.js";

type PortWidth = 1 | 2 | 4;
const portLetter = { 1: "b", 2: "w", 4: "l" } as const;
const memoryLetter = { 1: "b", 2: "w", 4: "l", 8: "q" } as const;
/** Memory goes over the socket in pieces of this many bytes. */
const CHUNK = 512 * 1024;

/** QEMU's qtest protocol: a text protocol that stands in for the guest's processor. */
export class QtestClient {
  readonly #lines: LineSocket;
  readonly #pending: PendingAnswers<readonly string[]>;
  readonly #interruptListeners = new Set<(line: number, isRaised: boolean) => void>();

  constructor(socket: Socket, around: QemuSurroundings = NOTHING_KNOWN) {
    this.#pending = new PendingAnswers("qtest", around, (error) => this.#end(error));
    this.#lines = new LineSocket(
      socket,
      (line) => this.#line(line),
      (error) => this.#end(error, true),
    );
  }

  /** Listens to interrupt lines; they have to be intercepted first. Returns how to end that. */
  onInterrupt(listener: (line: number, isRaised: boolean) => void): () => void {
    this.#interruptListeners.add(listener);
    return () => void this.#interruptListeners.delete(listener);
  }

  /** Reports the inputs of the interrupt controller at this QOM path instead of raising them. */
  async interceptInterrupts(path: string): Promise<void> {
    await this.#command(`irq_intercept_in ${path}`);
  }

  async readPort(port: number, width: PortWidth): Promise<number> {
    return this.#number(await this.#command(`in${portLetter[width]} ${hex(port)}`));
  }
  async writePort(port: number, width: PortWidth, value: number): Promise<void> {
    await this.#command(`out${portLetter[width]} ${hex(port)} ${hex(value)}`);
  }
  async readMemory(address: number, width: PortWidth): Promise<number> {
    return this.#number(await this.#command(`read${memoryLetter[width]} ${hex(address)}`));
  }
  async writeMemory(address: number, width: PortWidth, value: number): Promise<void> {
    await this.#command(`write${memoryLetter[width]} ${hex(address)} ${hex(value)}`);
  }
  async readBytes(address: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += CHUNK) {
      const piece = Math.min(CHUNK, length - at);
      const words = await this.#command(`b64read ${hex(address + at)} ${hex(piece)}`);
      const read = Buffer.from(words[0] ?? "", "base64");
      if (read.length !== piece)
        throw new QemuError(`b64read answered ${String(read.length)} of ${String(piece)} bytes`);
      bytes.set(read, at);
    }
    return bytes;
  }
  async writeBytes(address: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const piece = bytes.subarray(at, at + CHUNK);
      const text = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("base64");
      await this.#command(`b64write ${hex(address + at)} ${hex(piece.length)} ${text}`);
    }
  }

  close(): void {
    this.#lines.close();
  }

  #number(words: readonly string[]): number {
    const value = Number(words[0] ?? "NaN");
    if (!Number.isFinite(value)) throw new QemuError(`qtest answered "${words.join(" ")}" where a number belongs`);
    return value;
  }

  #command(command: string): Promise<readonly string[]> {
    return this.#pending.ask(command, (line) => this.#lines.send(line));
  }

  #line(line: string): void {
    const [kind = "", ...words] = line.split(" ");
    if (kind === "IRQ") {
      const number = Number(words[1]);
      for (const listener of [...this.#interruptListeners]) listener(number, words[0] === "raise");
      return;
    }
    const waiting = this.#pending.next();
    if (waiting === undefined) {
      this.#end(new QemuError(`qtest said "${line.slice(0, 200)}", and nothing had been asked`));
    } else if (kind === "OK") waiting.resolve(words);
    else waiting.reject(new QemuError(`qtest answered "${line.slice(0, 200)}" to "${waiting.command.slice(0, 200)}"`));
  }

  #end(error: QemuError, isLost = false): void {
    this.#pending.end(error, isLost);
    this.#lines.close();
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
