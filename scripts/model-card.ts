/**
 * @file `npm run model-card -- --data DATA --runs RUNS --features FILE`: evaluates the model in this package, writes its
 * card with the curves of the runs that made it, and draws the gallery.
 */
import { fileURLToPath } from "node:url";
import { progressLine } from "../src/cli/progress-line.ts";
import { writeCard } from "../src/evaluate/card/card-files.ts";
import { writeGallery } from "../src/evaluate/card/gallery-files.ts";
import { evaluate } from "../src/evaluate/emoji/evaluation.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "model-card";
const HELP = `
Usage: npm run model-card -- --data DATA --runs RUNS --features FILE [options]

Measures the model in models/default, and writes its card, figures, curves and gallery.

Options:
  --data FOLDER     what \`nextstep data emoji\` made and it was trained on
  --runs FOLDER     that scripts/default-model/stages.json names logs from
  --features FILE   weights of EfficientNet-lite0
  --out FOLDER      keeps the evaluation's pictures; one that was stopped goes on with them
  --count N         pictures of most groups
  --threads N       of an operator (default: the machine's processors)`;

const { values } = toolOptions(TOOL, HELP, {
  options: {
    data: { type: "string" },
    runs: { type: "string" },
    features: { type: "string" },
    out: { type: "string" },
    count: { type: "string" },
    threads: { type: "string" },
  },
});
const { data, runs, features, out, count, threads } = values;
if (data === undefined || runs === undefined || features === undefined) {
  refuseUsage(TOOL, "--data, --runs and --features are needed");
}
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const model = place("../models/default");
const line = progressLine({ err: process.stderr, environment: process.env });
const evaluation = await evaluate({
  model,
  data,
  features,
  ...(out === undefined ? {} : { out }),
  ...(count === undefined ? {} : { count: wholeOption(TOOL, "count", count, 1) }),
  ...(threads === undefined ? {} : { threads: wholeOption(TOOL, "threads", threads, 1) }),
  onProgress: ({ label, done, total }) => line.update(label, done, total),
});
line.clear();
await writeCard(model, evaluation, {
  template: place("default-model/card.md"),
  stages: place("default-model/stages.json"),
  runs,
  data,
});
await writeGallery(model, place("../docs"));
