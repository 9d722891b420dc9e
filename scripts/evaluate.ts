/**
 * @file `npm run evaluate -- --data FOLDER [options]`: draws fixed samples with fixed seeds and measures them, beside the
 * autoencoder's own copies of the real pictures. A table or JSON on standard output.
 */
import { SIGNAL_CODES } from "../src/cli/exit-code.ts";
import { progressLine } from "../src/cli/progress-line.ts";
import { formatDuration } from "../src/cli/progress-stream.ts";
import { AbortedError, NextStepError } from "../src/errors.ts";
import { type EvaluationOptions, evaluate } from "../src/evaluate/emoji/evaluation.ts";
import { formatTable } from "../src/evaluate/emoji/evaluation-table.ts";
import { EVALUATION_SETTINGS, MEASURES } from "../src/evaluate/emoji/measures.ts";
import { isJsonObject } from "../src/formats/json-file.ts";
import { type DrawSettings, pickSettings, SETTING_NAMES } from "../src/generate/settings.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "evaluate";
const HELP = `
Usage: npm run evaluate -- --data FOLDER [options]

Draws fixed samples with fixed seeds and measures them (docs/evaluation.md says how).

Options:
  --data FOLDER     what \`nextstep data emoji\` made
  --model FOLDER    a model, or an autoencoder alone (default: the model in this package)
  --features FILE   weights of EfficientNet-lite0; what is measured by net is left out without them
  --only NAMES      some of ${MEASURES.join(", ")}
  --count N         pictures of most groups (default: ${EVALUATION_SETTINGS.count})
  --seed N          of samples and drawings (default: ${EVALUATION_SETTINGS.seed})
  --settings JSON   settings of drawing in place of the model's, e.g. '{"steps":8}'
  --out FOLDER      keeps the pictures; an evaluation that was stopped goes on with them
  --threads N       of an operator (default: the machine's processors)
  --json            all figures as JSON`;

const { values } = toolOptions(TOOL, HELP, {
  options: {
    data: { type: "string" },
    model: { type: "string" },
    features: { type: "string" },
    only: { type: "string" },
    count: { type: "string" },
    seed: { type: "string" },
    settings: { type: "string" },
    out: { type: "string" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

function readOptions(): EvaluationOptions {
  const { data, model, features, out, count, seed, threads } = values;
  if (data === undefined) refuseUsage(TOOL, "--data is missing");
  const only = values.only?.split(",").map((name) => {
    const measure = MEASURES.find((known) => known === name.trim());
    return measure ?? refuseUsage(TOOL, `"${name}" is none of ${MEASURES.join(", ")}`);
  });
  return {
    data,
    ...(model === undefined ? {} : { model }),
    ...(features === undefined ? {} : { features }),
    ...(out === undefined ? {} : { out }),
    ...(only === undefined ? {} : { only }),
    ...(count === undefined ? {} : { count: wholeOption(TOOL, "count", count, 1) }),
    ...(values.settings === undefined ? {} : { drawSettings: readSettings(values.settings) }),
    ...(seed === undefined ? {} : { seed: wholeOption(TOOL, "seed", seed) }),
    ...(threads === undefined ? {} : { threads: wholeOption(TOOL, "threads", threads, 1) }),
  };
}

/** Settings as the library names them. */
function readSettings(text: string): Partial<DrawSettings> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    refuseUsage(TOOL, "--settings is not JSON");
  }
  if (!isJsonObject(json)) refuseUsage(TOOL, "--settings is not an object of settings");
  const unknown = Object.keys(json).find((name) => !SETTING_NAMES.some((known) => known === name));
  if (unknown !== undefined) refuseUsage(TOOL, `"${unknown}" is none of ${SETTING_NAMES.join(", ")}`);
  try {
    return pickSettings(json);
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    refuseUsage(TOOL, error.message);
  }
}

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    process.exitCode = SIGNAL_CODES[signal];
    controller.abort();
  });
}
const line = progressLine({ err: process.stderr, environment: process.env });
const started = performance.now();
let shown = "";
/** A live line; where nobody watches a terminal, a line a group. */
function showProgress(label: string, done: number, total: number): void {
  line.update(label, done, total);
  if (process.stderr.isTTY === true || label === shown) return;
  shown = label;
  const seconds = (performance.now() - started) / 1000;
  const left = done === 0 ? "" : `, ${formatDuration((seconds * (total - done)) / done)} left`;
  process.stderr.write(`${label} (${done} of ${total} pictures${left})\n`);
}

try {
  const result = await evaluate({
    ...readOptions(),
    signal: controller.signal,
    onProgress: ({ label, done, total }) => showProgress(label, done, total),
  });
  line.clear();
  process.stdout.write(`${values.json ? JSON.stringify(result, null, 2) : formatTable(result)}\n`);
} catch (error) {
  line.clear();
  if (!(error instanceof NextStepError)) throw error;
  process.stderr.write(`${TOOL}: ${error.message}\n`);
  if (!(error instanceof AbortedError)) process.exitCode = 1;
}
