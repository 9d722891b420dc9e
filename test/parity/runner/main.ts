/**
 * @file `npm run parity -- DIR [--json] [--bits 4|8]`: runs every case of a folder laid out like test/parity, one line a case,
 * and exits 1 if any of them is not ok; with `--bits`, every model rounded to blocks.
 */
import { refuseUsage, toolOptions } from "../../../scripts/tool-options.ts";
import {
  CONVERSION_BITS,
  type ConversionBits,
} from "../../../src/checkpoint/quantized/conversion-formats.ts";
import { NextStepError } from "../../../src/errors.ts";
import { type ModelAgreement, runBlockParity, TOLERANCE } from "./block-parity.ts";
import { KIND_RUNNERS } from "./kinds.ts";
import { formatResult, runParity } from "./run-parity.ts";

const HELP = `
Usage: npm run parity -- DIR [--json] [--bits 4|8]

Runs every case of a folder laid out like test/parity, one line a case; exit 1 if any of them is not ok.

  --bits N  4 or 8: in place of the cases, rounds each model's matrices to blocks as a conversion does and compares
            what it computes with the float path on what the blocks stand for (default: the cases)`;

async function main(): Promise<number> {
  const { values, positionals } = toolOptions("parity", HELP, {
    allowPositionals: true,
    options: { json: { type: "boolean" }, bits: { type: "string" } },
  });
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0) refuseUsage("parity", "name one folder of cases");
  if (values.bits !== undefined) {
    const bits = CONVERSION_BITS.find((known) => String(known) === values.bits);
    return checkBlocks(folder, bits ?? refuseUsage("parity", "--bits takes 4 or 8"), values.json === true);
  }
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

async function checkBlocks(folder: string, bits: ConversionBits, json: boolean): Promise<number> {
  let failed = 0;
  for await (const agreement of runBlockParity(folder, bits)) {
    if (!agreement.ok) failed++;
    process.stdout.write(`${json ? JSON.stringify(agreement) : formatAgreement(agreement)}\n`);
  }
  return failed === 0 ? 0 : 1;
}

function formatAgreement({
  model,
  output,
  ok,
  ofLargest,
  ofTypical,
  besidesActivations,
  floatActivations,
}: ModelAgreement): string {
  const percent = (part: number): string => `${(100 * part).toFixed(3)} %`;
  return [
    ok ? "ok    " : "not ok",
    `${model} ${output}`.padEnd(20),
    `${percent(ofLargest)} of the largest (up to ${percent(TOLERANCE)}), ${percent(ofTypical)} of a typical number,`,
    `${percent(besidesActivations)} beside the rounding of activations,`,
    `${floatActivations.toExponential(0)} with activations in floats`,
  ].join("  ");
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof NextStepError ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
