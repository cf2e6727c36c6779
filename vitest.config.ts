import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["virtio-gen-source"] } },
  resolve: { conditions: ["virtio-gen-source"] },
  test: {
    include: ["test/**/*.test.ts"],
    // No test relies on an end by these: they are for what never ends, on the slowest machine.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // The second one says at the end which real peers the run did without.
    reporters: ["default", "./test/interop/left-out-reporter.ts"],
  },
});
