import { defineConfig } from "vitest/config";

/** `npm run test:studio`: the built page in a real Chromium. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    // A browser is a machine's work.
    maxWorkers: 1,
  },
});
