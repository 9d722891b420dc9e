/**
 * @file `npm run compare-settings -- --data FOLDER --features FILE [--model FOLDER] [NAME=JSON ...]`: the
 * subjects that a model knows, drawn with its own settings and with others, with the same seeds, and judged against their
 * real pictures (docs/evaluation.md). Where a figure differs, so does the mean of differences between the two drawings of
 * a subject, whose interval is narrower than that of either. A line of JSON each. `NAME:FOLDER=JSON` draws with another
 * model.
 */

import { EvaluationData } from "../src/evaluate/emoji/evaluation-data.ts";
import { isPlain } from "../src/evaluate/emoji/reference-pictures.ts";
import { netScorer, SHAPE_SCORER } from "../src/evaluate/emoji/scorer.ts";
import { meanOf, ratioOf } from "../src/evaluate/estimate.ts";
import { gradientStrength } from "../src/evaluate/gradient-strength.ts";
import { kernelDistance } from "../src/evaluate/kernel-distance.ts";
import { NetFeatures } from "../src/evaluate/net-features.ts";
import { rankOf, shareWithin } from "../src/evaluate/retrieval.ts";
import type { RgbImage } from "../src/image/pixels.ts";
import { stretch } from "../src/image/resize.ts";
import { defaultModelPath } from "../src/node/default-model.ts";
import { open } from "../src/node/open-model.ts";
import { LocalEngine } from "../src/runtime/node/local-engine.ts";
import { DEFAULT_STYLE } from "../src/train/data/emoji/emoji-styles.ts";
import { type DrawingVariant, drawingVariants } from "./drawing-variants.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "compare-settings";
const HELP = `
Usage: npm run ${TOOL} -- --data FOLDER --features FILE [--model FOLDER] [NAME=JSON ...]

Draws the subjects that a model knows with its own settings and with others, and compares them.

  nextstep data emoji data/emoji
  npm run ${TOOL} -- --data data/emoji --features FILE 'eight steps={"steps":8}'

Options:
  --data FOLDER     what \`nextstep data emoji\` made
  --model FOLDER    (default: the model in this package); NAME:FOLDER=JSON draws with another one
  --features FILE   weights of EfficientNet-lite0
  --count N         subjects at most (default: all that the model knows)
  --seed N          of the drawings (default: 1)
  --threads N       of an operator (default: 1, so that processor time says what was computed)`;

/** Pictures drawn at once. */
const BATCH = 8;

const { values, positionals } = toolOptions(TOOL, HELP, {
  allowPositionals: true,
  options: {
    data: { type: "string" },
    model: { type: "string", default: defaultModelPath() },
    features: { type: "string" },
    count: { type: "string" },
    seed: { type: "string", default: "1" },
    threads: { type: "string", default: "1" },
  },
});
const { data: folder, features } = values;
if (folder === undefined || features === undefined) refuseUsage(TOOL, "--data and --features are needed");
const source = values.model ?? defaultModelPath();
const threads = wholeOption(TOOL, "threads", values.threads ?? "1", 1);
const seed = wholeOption(TOOL, "seed", values.seed ?? "1");

const variants = drawingVariants(TOOL, source, positionals);

await using engine = new LocalEngine({ threads, spin: false });
const net = await NetFeatures.open(engine, features);
await using data = await EvaluationData.open(folder);
const plain = [...data.scenes.seen, ...data.scenes.heldOut].filter(
  ({ shows }) => isPlain(shows) && shows.style === DEFAULT_STYLE,
);
const { side, known } = await (async () => {
  await using model = await open(source, { threads });
  const names = new Set(model.trained.subjects);
  return { side: model.trained.sizes?.[0]?.[0] ?? 128, known: names };
})();
const sized = (picture: RgbImage): RgbImage =>
  picture.width === side && picture.height === side ? picture : stretch(picture, [side, side], "lanczos");

const scorers = [netScorer(net), SHAPE_SCORER];
/** Of all subjects, known or not. */
const references = await Promise.all(
  scorers.map(async (scorer) => {
    const labelled = [];
    for (const record of plain) {
      const [feature] = await scorer.of([sized(await record.load())]);
      labelled.push({ subject: record.shows.subject, feature: feature! });
    }
    return labelled;
  }),
);
const subjects = new Map(data.subjects.map(({ id, names }) => [id, names[0] ?? id]));
const chosen = plain
  .filter(({ shows }) => known.has(subjects.get(shows.subject) ?? "") || known.has(shows.subject))
  .slice(0, values.count === undefined ? undefined : wholeOption(TOOL, "count", values.count, 1));
if (chosen.length === 0) refuseUsage(TOOL, "the data holds none of the subjects that the model knows");
const real = await Promise.all(chosen.map(async (record) => sized(await record.load())));
const realNet = await scorers[0]!.of(real);
const realEdges = real.map(gradientStrength);

/** The drawings, and the processor time of all but opening the model. */
async function drawAll({
  model: path,
  settings,
}: DrawingVariant): Promise<{ pictures: RgbImage[]; cpu: number }> {
  await using model = await open(path, { threads });
  await model.draw("a dog", { seed, ...settings });
  const before = process.cpuUsage();
  const pictures: RgbImage[] = [];
  for (let start = 0; start < chosen.length; start += BATCH) {
    const prompts = chosen.slice(start, start + BATCH).map(({ caption }) => caption);
    const drawn = await model.draw(prompts, {
      ...settings,
      seed: seed + start,
      size: { width: side, height: side },
    });
    pictures.push(...drawn.map(({ pixels }) => pixels));
  }
  const { user, system } = process.cpuUsage(before);
  return { pictures, cpu: (user + system) / 1e6 / chosen.length };
}

interface Judged {
  readonly cpu: number;
  /** By scorer: 1 where the nearest real picture is that of the subject. */
  readonly nearest: readonly (readonly number[])[];
  readonly ranks: readonly (readonly number[])[];
  /** Cosine distance of net features to the real picture. */
  readonly distance: readonly number[];
  readonly edges: readonly number[];
  readonly features: Awaited<ReturnType<(typeof scorers)[number]["of"]>>;
}

async function judge(variant: DrawingVariant): Promise<Judged> {
  const { pictures, cpu } = await drawAll(variant);
  const own = await Promise.all(scorers.map((scorer) => scorer.of(pictures)));
  const ranks = scorers.map((scorer, index) =>
    chosen.map(({ shows: { subject } }, picture) =>
      rankOf({ subject, feature: own[index]![picture]! }, references[index]!, scorer.distance),
    ),
  );
  return {
    cpu,
    ranks,
    nearest: ranks.map((each) => each.map((rank) => (rank === 1 ? 1 : 0))),
    distance: own[0]!.map((feature, picture) => scorers[0]!.distance(feature, realNet[picture]!)),
    edges: pictures.map((picture) => gradientStrength(picture).all),
    features: own[0]!,
  };
}

const differences = (a: readonly number[], b: readonly number[]) =>
  meanOf(a.map((value, i) => value - b[i]!));
let base: Judged | undefined;
for (const variant of variants) {
  const judged = await judge(variant);
  base ??= judged;
  const { ranks, nearest, distance, edges, features, cpu } = judged;
  const line = {
    name: variant.name,
    settings: variant.settings,
    subjects: chosen.length,
    cpuRatio: Number((cpu / base.cpu).toPrecision(3)),
    cpuSeconds: Number(cpu.toPrecision(3)),
    top1: { net: shareWithin(ranks[0]!, 1), shape: shareWithin(ranks[1]!, 1) },
    kernelDistance: kernelDistance(features, realNet),
    edges: ratioOf(edges.map((own, picture) => [own, realEdges[picture]!.all])),
    distance: meanOf(distance),
    difference: {
      top1: {
        net: differences(nearest[0]!, base.nearest[0]!),
        shape: differences(nearest[1]!, base.nearest[1]!),
      },
      distance: differences(distance, base.distance),
    },
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
