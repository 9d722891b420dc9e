import { defineConfig } from "vitest/config";

/** `npm run test:studio`: the built page in a real Chromium. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["test/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // A browser on a busy machine loses a race now and then; what is wrong fails twice.
    retry: 1,
    // A browser is a machine's work.
    maxWorkers: 1,
  },
});
