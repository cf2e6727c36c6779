/** One stream that the command writes to. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal, if it is one. */
  readonly columns: number | undefined;
}

/** All that the command knows of the process it runs in, so that tests can run it without one. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Bytes of the standard input, at most `limit` of them; more give `undefined`. */
  readStdin(limit: number): Promise<Uint8Array | undefined>;
  /** Calls back once when the user asks to stop (Ctrl-C). */
  onStop(stop: () => void): void;
}

/** The process itself. */
export function processIo(): Io {
  return {
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    cwd: process.cwd(),
    env: process.env,
    readStdin: async (limit) => {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of process.stdin) {
        const bytes = Buffer.from(chunk as Uint8Array);
        size += bytes.length;
        if (size > limit) return undefined;
        chunks.push(bytes);
      }
      return Buffer.concat(chunks);
    },
    onStop: (stop) => {
      process.once("SIGINT", stop);
      process.once("SIGTERM", stop);
    },
  };
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY,
    columns: stream.isTTY ? stream.columns : undefined,
  };
}
