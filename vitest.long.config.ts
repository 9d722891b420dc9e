import { defineConfig } from "vitest/config";

/** `npm run test:long`: what takes some ten seconds a file, such as training to the same bits, faults, and processes that are ended. */
export default defineConfig({
  test: {
    include: ["{src,scripts,test}/**/*.long.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    // Two workers: every engine session brings its own threads, and the reference machine has two cores.
    maxWorkers: 2,
  },
});
