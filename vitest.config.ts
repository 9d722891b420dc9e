import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: [
      "src/**/*.test.ts",
      "scripts/**/*.test.ts",
      "test/**/*.test.ts",
      "bench/**/*.test.ts",
      "studio/src/**/*.test.ts",
    ],
    // What takes long is a command of its own: vitest.long.config.ts.
    exclude: [...configDefaults.exclude, "**/*.long.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A busy machine is no failure: what a test waits for comes in the end, or does not.
    expect: { poll: { timeout: 30_000 } },
    // Two workers: every engine session brings its own threads, and the reference machine has two cores.
    maxWorkers: 2,
  },
});
