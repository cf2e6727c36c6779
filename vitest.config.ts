import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["virtio-gen-source"] } },
  resolve: { conditions: ["virtio-gen-source"] },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // The second one says at the end which real peers the run did without.
    reporters: ["default", "./test/interop/left-out-reporter.ts"],
  },
});
