/** @file Runs the tests in test/services against servers that are started for them. */
import { spawn } from "node:child_process";
import { TemporaryPostgres } from "./services/temporary-postgres.ts";
import { TemporaryS3 } from "./services/temporary-s3.ts";

await using postgres = await TemporaryPostgres.start();
await using s3 = await TemporaryS3.start();
const tests = spawn(
  "npx",
  ["vitest", "run", "--config", "vitest.services.config.ts", ...process.argv.slice(2)],
  {
    stdio: "inherit",
    env: {
      ...process.env,
      ...s3.environment,
      NEXTSTEP_TEST_POSTGRES: postgres.url,
      NEXTSTEP_TEST_BUCKET: s3.bucket,
    },
  },
);
process.exitCode = await new Promise<number>((resolve) => tests.once("exit", (code) => resolve(code ?? 1)));
