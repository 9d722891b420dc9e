/**
 * @file `npm run publish-model -- FOLDER --data DATA --runs RUNS --features FILE`: puts a trained model into the package
 * at half precision, evaluates what was put there, writes the card with the curves of the runs, and draws the gallery.
 */
import { fileURLToPath } from "node:url";
import { progressLine } from "../src/cli/progress-line.ts";
import { writeGallery } from "../src/evaluate/card/gallery-files.ts";
import { publishCard, publishWeights } from "../src/evaluate/card/publication.ts";
import { evaluate } from "../src/evaluate/emoji/evaluation.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "publish-model";
const HELP = `
Usage: npm run publish-model -- FOLDER --data DATA --runs RUNS --features FILE [options]

Puts the model in FOLDER into models/default at half precision, measures it, and writes its card, curves and gallery.

Options:
  --data FOLDER     what \`nextstep data emoji\` made and it was trained on
  --runs FOLDER     that scripts/default-model/stages.json names logs from
  --features FILE   weights of EfficientNet-lite0
  --out FOLDER      keeps the evaluation's pictures; one that was stopped goes on with them
  --count N         pictures of most groups
  --threads N       of an operator (default: the machine's processors)`;

const { values, positionals } = toolOptions(TOOL, HELP, {
  allowPositionals: true,
  options: {
    data: { type: "string" },
    runs: { type: "string" },
    features: { type: "string" },
    out: { type: "string" },
    count: { type: "string" },
    threads: { type: "string" },
  },
});
const [source] = positionals;
const { data, runs, features, out, count, threads } = values;
if (source === undefined || data === undefined || runs === undefined || features === undefined) {
  refuseUsage(TOOL, "a model's folder, --data, --runs and --features are needed");
}
const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const target = place("../models/default");

await publishWeights(source, target);
const line = progressLine({ err: process.stderr, environment: process.env });
const evaluation = await evaluate({
  model: target,
  data,
  features,
  ...(out === undefined ? {} : { out }),
  ...(count === undefined ? {} : { count: wholeOption(TOOL, "count", count, 1) }),
  ...(threads === undefined ? {} : { threads: wholeOption(TOOL, "threads", threads, 1) }),
  onProgress: ({ label, done, total }) => line.update(label, done, total),
});
line.clear();
await publishCard(target, evaluation, {
  template: place("default-model/card.md"),
  stages: place("default-model/stages.json"),
  runs,
  data,
});
await writeGallery(target, place("../docs"));
