/** @file Tests that need servers of their own, which `npm run test:services` starts. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/services/**/*.services.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    maxWorkers: 2,
  },
});
