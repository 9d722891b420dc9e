/**
 * @file `npm run evaluate -- --data FOLDER [options]`: draws fixed samples with fixed seeds and measures them, beside the
 * autoencoder's own copies of the real pictures. A table or JSON on standard output.
 */
import { constants } from "node:os";
import { parseArgs } from "node:util";
import { ProgressLine } from "../src/cli/progress-line.ts";
import { formatDuration } from "../src/cli/progress-stream.ts";
import { AbortedError, ConfigError, NextStepError } from "../src/errors.ts";
import { type EvaluationOptions, evaluate } from "../src/evaluate/emoji/evaluation.ts";
import { formatTable } from "../src/evaluate/emoji/evaluation-table.ts";
import { MEASURES } from "../src/evaluate/emoji/measures.ts";

const HELP = `npm run evaluate -- --data FOLDER [options]

  --data FOLDER      what \`nextstep data emoji\` made
  --model FOLDER     a model, or an autoencoder alone (default: the package's model)
  --features FILE    EfficientNet-lite0 (docs/data.md); measures by net are left out without it
  --only NAMES       ${MEASURES.join(", ")}
  --count N          pictures of most groups (default: as committed)
  --seed N           of samples and drawings (default: as committed)
  --out FOLDER       keeps the pictures; a stopped evaluation goes on with them
  --threads N        of an operator (default: all processors)
  --json             all figures as JSON
`;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        data: { type: "string" },
        model: { type: "string" },
        features: { type: "string" },
        only: { type: "string" },
        count: { type: "string" },
        seed: { type: "string" },
        out: { type: "string" },
        threads: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(text: string, where: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ConfigError(`"${text}" is no whole number`, { where });
}

function optionsOf(values: ReturnType<typeof parse>): EvaluationOptions {
  const { data, model, features, out } = values;
  if (data === undefined) {
    throw new ConfigError("is missing", { where: "--data", remedy: "name what `nextstep data emoji` made" });
  }
  const only = values.only?.split(",").map((name) => {
    const measure = MEASURES.find((known) => known === name.trim());
    if (measure === undefined) {
      throw new ConfigError(`"${name}" is no measure`, {
        where: "--only",
        remedy: `use some of ${MEASURES.join(", ")}`,
      });
    }
    return measure;
  });
  return {
    data,
    ...(model === undefined ? {} : { model }),
    ...(features === undefined ? {} : { features }),
    ...(out === undefined ? {} : { out }),
    ...(only === undefined ? {} : { only }),
    ...(values.count === undefined ? {} : { count: numberOf(values.count, "--count") }),
    ...(values.seed === undefined ? {} : { seed: numberOf(values.seed, "--seed") }),
    ...(values.threads === undefined ? {} : { threads: numberOf(values.threads, "--threads") }),
  };
}

/** Groups as lines with their times where nobody watches a terminal. */
function progressTo(line: ProgressLine): NonNullable<EvaluationOptions["onProgress"]> {
  const started = performance.now();
  let shown = "";
  return ({ label, done, total }) => {
    line.update(label, done, total);
    if (process.stderr.isTTY === true || label === shown) return;
    shown = label;
    const seconds = (performance.now() - started) / 1000;
    const left = done === 0 ? "" : `, ${formatDuration((seconds * (total - done)) / done)} left`;
    process.stderr.write(`${label} (${done} of ${total} pictures${left})\n`);
  };
}

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    process.exitCode = 128 + constants.signals[signal];
    controller.abort();
  });
}
const line = new ProgressLine(process.stderr);
try {
  const values = parse(process.argv.slice(2));
  if (values.help) process.stdout.write(HELP);
  else {
    const result = await evaluate({
      ...optionsOf(values),
      signal: controller.signal,
      onProgress: progressTo(line),
    });
    line.clear();
    process.stdout.write(`${values.json ? JSON.stringify(result, null, 2) : formatTable(result)}\n`);
  }
} catch (error) {
  line.clear();
  if (!(error instanceof NextStepError)) throw error;
  process.stderr.write(`evaluate: ${error.message}\n`);
  if (!(error instanceof AbortedError)) process.exitCode = 1;
}
