import { rmSync } from "node:fs";
import { expect, it } from "vitest";
import type { Io } from "../../src/cli/io.js";
import { definition, Workspace } from "./workspace.js";

/** The command, watching; `until` waits for text that it writes after what was waited for before. */
function watching(space: Workspace, argv: readonly string[]) {
  let text = "";
  let waiting: (() => void) | undefined;
  let stop = (): void => {};
  const output = {
    write: (piece: string) => {
      text += piece;
      waiting?.();
    },
    isTerminal: false,
    columns: undefined,
  };
  const io: Partial<Io> = {
    stdout: output,
    stderr: output,
    onStop: (callback) => {
      stop = callback;
    },
  };
  const done = space.run([...argv, "--watch"], { io });
  const until = async (pattern: RegExp): Promise<string> => {
    const deadline = setTimeout(() => waiting?.(), 120_000);
    const ended = Date.now() + 120_000;
    while (!pattern.test(text)) {
      if (Date.now() >= ended) throw new Error(`no ${String(pattern)} in ${text}`);
      await new Promise<void>((resolve) => {
        waiting = resolve;
      });
    }
    clearTimeout(deadline);
    const seen = text;
    text = "";
    return seen;
  };
  return {
    until,
    done,
    stop: () => stop(),
    get pending() {
      return text;
    },
  };
}

const ready = /watching \d+ files? for changes; Ctrl-C stops\n/;

it("builds again when a definition changes, comes or goes, and stops with 0 when asked to", async () => {
  const space = new Workspace({ "dsl/alpha.virtio": definition("alpha", 60) });
  const command = watching(space, ["build", "dsl", "--out", "made", "--format", "plain"]);
  expect(await command.until(ready)).toContain("1 file written");

  space.write("dsl/alpha.virtio", definition("alpha", 62));
  expect(await command.until(ready)).toContain("1 device, 1 feature, ");
  expect(space.read("made/alpha.ts")).toContain("62");

  space.write("dsl/alpha.virtio", definition("alpha", 62).replace("le32 limit", "le23 limit"));
  expect(await command.until(ready)).toContain("dsl/alpha.virtio:7:5: error[VG2001]");
  expect(space.read("made/alpha.ts")).toContain("62");

  space.write("dsl/alpha.virtio", definition("alpha", 62));
  expect(await command.until(ready)).toContain("0 files written to made, 1 unchanged");

  space.write("dsl/new/beta.virtio", definition("beta", 61));
  expect(await command.until(ready)).toContain("2 devices");

  space.write("dsl/new/beta.virtio", definition("beta", 63));
  expect(await command.until(ready)).toContain("1 file written to made, 1 unchanged");

  rmSync(space.path("dsl/new"), { recursive: true });
  expect(await command.until(ready)).toContain("1 device,");

  command.stop();
  expect((await command.done).code).toBe(0);
}, 600_000);

it("sees changes of imported files, and imports that come late", async () => {
  const space = new Workspace({
    "a/alpha.virtio": 'import "../b/pair.virtio";\ndevice alpha = 60 { config { Pair p; } }\n',
  });
  space.write("b/.keep", "");
  const command = watching(space, ["build", "a/alpha.virtio", "--out", "made", "--format", "plain"]);
  expect(await command.until(ready)).toContain("error[VG9001]");
  space.write("b/pair.virtio", "struct Pair { le32 a; }\n");
  expect(await command.until(ready)).toContain("1 file written");
  space.write("b/pair.virtio", "struct Pair { le32 a; le32 b; }\n");
  expect(await command.until(ready)).toContain("1 file written");
  command.stop();
  expect((await command.done).code).toBe(0);
}, 600_000);

it("says nothing when a file is saved without a change", async () => {
  const space = new Workspace({ "alpha.virtio": definition("alpha", 60) });
  const command = watching(space, ["build", "alpha.virtio", "--out", "made"]);
  await command.until(ready);
  space.write("alpha.virtio", definition("alpha", 60));
  space.write("notes.txt", "hello");
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(command.pending).toBe("");
  command.stop();
  expect((await command.done).code).toBe(0);
}, 600_000);

it("does not hide a mistake of its own while it watches", async () => {
  const space = new Workspace({ "alpha.virtio": definition("alpha", 60) });
  let broken = false;
  const output = {
    write: (): void => {
      if (broken) throw new Error("boom");
    },
    isTerminal: false,
    columns: undefined,
  };
  const done = space.run(["build", "alpha.virtio", "--out", "made", "--watch"], {
    io: {
      stdout: {
        ...output,
        write: (text) => {
          output.write();
          if (!text.includes("Ctrl-C")) return;
          broken = true;
          space.write("alpha.virtio", definition("alpha", 61));
        },
      },
    },
  });
  expect(await done).toMatchObject({ code: 70, err: expect.stringContaining("boom") as unknown });
}, 600_000);
