/**
 * @file `npm run ablate -- --features FILE [options]`: trains small models that differ from one base in one setting each,
 * with several seeds, has them draw what they know, and says what each setting was good for (docs/measurements.md). Stopped
 * and started again, it goes on where it was.
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Estimate } from "../src/evaluate/estimate.ts";
import { ABLATIONS, type Ablation } from "./ablations.ts";
import { runChild } from "./child-process.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "ablate";
const CONFIG = "configs/ablation.json";
const SUBJECTS = 100;
const BASE: Ablation = { name: "base", training: [], drawing: {} };

const HELP = `
Usage: npm run ${TOOL} -- --features FILE [options]

Trains ${1 + ABLATIONS.filter(({ training }) => training.length > 0).length} small models a seed with ${CONFIG}, of ${SUBJECTS} subjects, and compares what they draw.

Options:
  --features FILE   weights of EfficientNet-lite0
  --data FOLDER     what \`nextstep data emoji\` made, to judge by (default: data/emoji)
  --runs FOLDER     (default: runs/ablations)
  --seeds N         trains with the seeds 1 to N (default: 2)
  --json            figures with their intervals in place of the table`;

const { values } = toolOptions(TOOL, HELP, {
  options: {
    features: { type: "string" },
    data: { type: "string", default: "data/emoji" },
    runs: { type: "string", default: "runs/ablations" },
    seeds: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
  },
});
const features = values.features ?? refuseUsage(TOOL, "--features is missing");
const { data = "", runs = "", json } = values;
const seeds = Array.from({ length: wholeOption(TOOL, "seeds", values.seeds ?? "2", 1) }, (_, i) => i + 1);
const folder = fileURLToPath(new URL("..", import.meta.url));
const runOf = ({ name, training }: Ablation, seed: number): string =>
  join(runs, `${training.length === 0 ? BASE.name : name}-${seed}`);

async function train(ablation: Ablation, seed: number): Promise<void> {
  const output = runOf(ablation, seed);
  if ((await stat(resolve(folder, output, "model")).catch(() => undefined)) !== undefined) return;
  process.stderr.write(`\n${output}\n`);
  const sets = [`output=${output}`, `seed=${seed}`, ...ablation.training].flatMap((set) => ["--set", set]);
  const { code } = await runChild(["train", "model", CONFIG, ...sets], folder, "stderr");
  if (code !== 0) process.exit(code);
}

/** What compare-settings says of the drawings of a model. */
interface Judged {
  readonly name: string;
  readonly top1: { readonly net: Estimate; readonly shape: Estimate };
  readonly edges: Estimate;
  readonly distance: Estimate;
  readonly difference: { readonly distance: Estimate };
}

async function judge(seed: number): Promise<readonly Judged[]> {
  const variants = ABLATIONS.map(
    (ablation) =>
      `${ablation.name}:${join(runOf(ablation, seed), "model")}=${JSON.stringify(ablation.drawing)}`,
  );
  const base = ["--model", join(runOf(BASE, seed), "model")];
  const against = ["--data", data, "--features", features, "--count", String(SUBJECTS)];
  const { code, output } = await runChild(
    ["scripts/compare-settings.ts", ...base, ...against, ...variants],
    folder,
    "keep",
  );
  if (code !== 0) process.exit(code);
  const [first, ...others] = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Judged);
  return [{ ...(first as Judged), name: BASE.name }, ...others];
}

for (const seed of seeds) {
  for (const ablation of [BASE, ...ABLATIONS]) await train(ablation, seed);
}
const judged: (readonly Judged[])[] = [];
for (const seed of seeds) judged.push(await judge(seed));

const rows = [BASE, ...ABLATIONS].map(({ name, training, drawing }, index) => ({
  ...{ name, training, drawing },
  bySeed: judged.map((of) => of[index]!),
}));
if (json) {
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
} else {
  const share = ({ value }: Estimate): string => (100 * value).toFixed(0);
  const interval = ({ value, low, high }: Estimate): string =>
    `${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
  const each = (of: readonly Judged[], tell: (one: Judged) => string): string => of.map(tell).join(", ");
  const lines = rows.map(({ name, bySeed }) => [
    name,
    each(bySeed, ({ top1 }) => share(top1.net)),
    each(bySeed, ({ top1 }) => share(top1.shape)),
    each(bySeed, ({ edges }) => edges.value.toFixed(2)),
    each(bySeed, ({ difference }) => interval(difference.distance)),
  ]);
  const heads = ["", "net, %", "shape, %", "edges", "distance less the base's"];
  const table = [heads, heads.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`);
  process.stdout.write(`${table.join("\n")}\n`);
}
