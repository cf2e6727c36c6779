import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const vitest = fileURLToPath(new URL("vitest.mjs", import.meta.resolve("vitest/package.json")));
const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));

function runFixture(environment: Readonly<Record<string, string>>): {
  readonly status: number | null;
  readonly text: string;
} {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|VIRTIO_GEN_|FORCE_COLOR|NODE_ENV)/.test(name),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, "run", "--root", fixtures], {
    encoding: "utf8",
    env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...environment },
  });
  return { status, text: stdout + stderr };
}

test("a missing peer is left out, and the end of the run says so", () => {
  const { status, text } = runFixture({});
  expect(text).toContain("left out: absent-peer.suite.ts needs a peer that is not there: this fixture says so");
  expect(text).not.toContain("a peer that is there");
  expect(text).toMatch(/1 passed/);
  expect(status).toBe(0);
});

test("a missing peer is a failure where peers are required", () => {
  const { status, text } = runFixture({ VIRTIO_GEN_INTEROP: "required" });
  expect(text).toContain("VIRTIO_GEN_INTEROP=required, but a peer that is not there: this fixture says so");
  expect(text).not.toContain("left out:");
  expect(status).toBe(1);
});
