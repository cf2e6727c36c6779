// Runs the fixture tests so that they write what they see as the new expected output. Read the diff before committing it.
import { spawnSync } from "node:child_process";

const result = spawnSync("npx", ["vitest", "run", "test/fixtures.test.ts"], {
  stdio: "inherit",
  env: { ...process.env, VIRTIO_GEN_ACCEPT: "1" },
});
process.exit(result.status ?? 1);
