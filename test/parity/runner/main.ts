/**
 * @file `npm run parity -- DIR [--json]`: runs every case of a folder laid out like test/parity, one line a case, and
 * exits 1 if any of them is not ok.
 */
import { refuseUsage, toolOptions } from "../../../scripts/tool-options.ts";
import { NextStepError } from "../../../src/errors.ts";
import { KIND_RUNNERS } from "./kinds.ts";
import { formatResult, runParity } from "./run-parity.ts";

const HELP = `
Usage: npm run parity -- DIR [--json]

Runs every case of a folder laid out like test/parity, one line a case; exit 1 if any of them is not ok.`;

async function main(): Promise<number> {
  const { values, positionals } = toolOptions("parity", HELP, {
    allowPositionals: true,
    options: { json: { type: "boolean" } },
  });
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0) refuseUsage("parity", "name one folder of cases");
  let cases = 0;
  let failed = 0;
  for await (const result of runParity(folder, KIND_RUNNERS)) {
    cases++;
    if (!result.ok) failed++;
    // JSON has no Infinity: a ratio beyond all numbers is null.
    process.stdout.write(`${values.json === true ? JSON.stringify(result) : formatResult(result)}\n`);
  }
  if (values.json !== true) process.stdout.write(`${cases - failed} of ${cases} cases ok\n`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof NextStepError ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
