import { once } from "node:events";
import type { Socket } from "node:net";

/** What a command in the guest printed (both streams, in order), and the status with which it ended. */
export interface CommandResult {
  readonly status: number;
  readonly bytes: Buffer;
  /** `bytes` as text, without the line ends at its end. */
  readonly output: string;
}

interface Running {
  readonly pieces: Buffer[];
  resolve(result: CommandResult): void;
  reject(error: Error): void;
}

/** The test's end of the line to the agent; guest/agent.c describes what is said on it. */
export class AgentConnection {
  /** Fulfilled when the guest is up. */
  readonly ready: Promise<void>;
  #socket: Socket;
  readonly #running = new Map<number, Running>();
  #becomeReady: () => void = () => undefined;
  #rest: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #ended: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.ready = new Promise((resolve) => (this.#becomeReady = resolve));
    this.#listen(socket);
  }

  /** Starts a command. Rejects when the guest goes away before the command ends. */
  run(command: string): Promise<CommandResult> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#running.set(id, { pieces: [], resolve, reject });
      const bytes = Buffer.from(command);
      this.#socket.write(Buffer.concat([Buffer.from(`run ${id} ${bytes.length}\n`), bytes]));
    });
  }

  /**
   * The guest has moved, and says the rest over another socket. Done when the old one is closed: what came over that comes
   * first. No command may be begun before.
   */
  async continueOn(socket: Socket): Promise<void> {
    const closed = once(this.#socket, "close");
    this.#socket = socket;
    await closed;
    this.#listen(socket);
  }

  close(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on("data", (bytes: Buffer) => {
      this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
      while (this.#take());
    });
    const gone = (error: Error): void => {
      if (socket === this.#socket) this.#end(error);
    };
    socket.on("error", gone);
    socket.on("close", () => gone(new Error("the guest is gone")));
  }

  /** Takes one message off the front; false if there is none that is whole. */
  #take(): boolean {
    const end = this.#rest.indexOf(0x0a);
    if (end < 0) return false;
    const [word = "", id = "", number = ""] = this.#rest.toString("latin1", 0, end).split(" ");
    const after = end + 1 + (word === "out" ? Number(number) : 0);
    if (this.#rest.length < after) return false;
    const running = this.#running.get(Number(id));
    if (word === "ready") this.#becomeReady();
    else if (word === "out") running?.pieces.push(this.#rest.subarray(end + 1, after));
    else if (word === "end") {
      const bytes = Buffer.concat(running?.pieces ?? []);
      this.#running.delete(Number(id));
      running?.resolve({ status: Number(number), bytes, output: bytes.toString("utf8").replace(/\n+$/, "") });
    } else this.#end(new Error(`the agent said "${this.#rest.toString("latin1", 0, Math.min(end, 100))}"`));
    this.#rest = this.#rest.subarray(after);
    return true;
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#socket.destroy();
    for (const running of this.#running.values()) running.reject(error);
    this.#running.clear();
  }
}
