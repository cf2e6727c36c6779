import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["virtio-gen-source"] } },
  resolve: { conditions: ["virtio-gen-source"] },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
  },
});
