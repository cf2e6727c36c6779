import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { Io, Output } from "../../src/cli/io.js";
import { run } from "../../src/cli/run.js";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** Folder inside the workspace to run in. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly terminal?: boolean;
  readonly io?: Partial<Io>;
}

/** A folder for one test, and the command running in it, in this process. */
export class Workspace {
  readonly folder: string;

  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), "virtio-gen-test-")));
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }));
    for (const [path, content] of Object.entries(files)) this.write(path, content);
  }

  path(path: string): string {
    return join(this.folder, path);
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), content);
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  /** Every file below a folder, with its text. */
  snapshot(folder = "."): Readonly<Record<string, string>> {
    const entries = readdirSync(this.path(folder), { withFileTypes: true, recursive: true });
    return Object.fromEntries(
      entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
        .map((path) => [path.slice(this.path(folder).length + 1), readFileSync(path, "utf8")]),
    );
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const out: string[] = [];
    const err: string[] = [];
    const output = (texts: string[]): Output => ({
      write: (text) => void texts.push(text),
      isTerminal: options.terminal ?? false,
      columns: undefined,
    });
    const code = await run(argv, {
      stdout: output(out),
      stderr: output(err),
      cwd: this.path(options.cwd ?? "."),
      env: options.env ?? {},
      readStdin: (limit) => {
        const bytes = Buffer.from(options.stdin ?? "");
        return Promise.resolve(bytes.length > limit ? undefined : bytes);
      },
      onStop: () => undefined,
      ...options.io,
    });
    return { code, out: out.join(""), err: err.join("") };
  }
}

/** A small definition of a device that compiles. */
export function definition(name: string, id: number): string {
  return `device ${name} = ${id} {
  features {
    /// The answer is doubled.
    DOUBLE = 0;
  }
  config {
    le32 limit;
  }
  queues {
    requestq : request Request;
  }
  struct Pair {
    le32 a;
    le32 b;
  }
  request Request {
    readable { Pair pair; }
    writable { le32 answer; }
  }
}
`;
}
