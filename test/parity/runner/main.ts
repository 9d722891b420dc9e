/**
 * @file `npm run parity -- DIR [--json]`: runs every case of a folder laid out like test/parity, one line a case, and
 * exits 1 if any of them is not ok.
 */
import { parseArgs } from "node:util";
import { NextStepError } from "../../../src/errors.ts";
import { isDecayed } from "../../../src/train/optimizer/weight-decay.ts";
import { short } from "./comparison.ts";
import { KIND_RUNNERS } from "./kinds.ts";
import { formatResult, type KindRunner, runParity } from "./run-parity.ts";
import { runTrainCase } from "./train-case.ts";

/** Tensors that a training case starts from. */
const TRAINING_INPUTS = /^(?:input_ids|labels|attention_mask|t|eps|latents\.\d+)$/;

/** Kind `train`. The training room compares by itself, element bounds included; here its findings enter the ledger. */
const runTraining: KindRunner = async (test, check, context) => {
  for (const name of check.tensorNames) if (TRAINING_INPUTS.test(name)) await check.input(name);
  if (check.has("u") && check.has("t")) {
    const u = await check.floats("u");
    await check.compare("t", { shape: check.shapeOf("t"), data: u.map((x) => 1 / (1 + Math.exp(-x))) });
  }
  for (const { tensor, error, share } of await runTrainCase(context.engine, context.folder, test.name)) {
    const group = /^(grad|after\d+)\./.exec(tensor)?.[1] ?? tensor;
    check.record(group, tensor, share, `${short(error)}, ${short(share)} of its bound`);
  }
  const stated = (test.json.optimizer as { decayed?: unknown } | undefined)?.decayed;
  if (Array.isArray(stated)) {
    const parameters = check.tensorNames.flatMap((name) => /^grad\.(.+)$/.exec(name)?.[1] ?? []);
    check.equal("decayed", parameters.filter(isDecayed).sort(), [...stated].sort());
  }
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean" } },
  });
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0) {
    process.stderr.write("usage: npm run parity -- DIR [--json]\n");
    return 2;
  }
  const runners = new Map([...KIND_RUNNERS, ["train", runTraining]]);
  let cases = 0;
  let failed = 0;
  for await (const result of runParity(folder, runners)) {
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
