/**
 * @file `npm run compare-best-of -- --data FOLDER --features FILE [--model FOLDER] [--of N] [--count N]`: whether the best of
 * several drawings, by the model's own score or by the reward that judges the prompt, is better than any of them
 * (docs/evaluation.md). Each prompt is drawn with several seeds; what `draw --best-of` would keep is set against the mean of all,
 * the expectation of one that is taken at random. Rewards compare by shape and colour, the net is who judges. A line of JSON for each
 * way to choose; `by real picture` is what no score can do better than.
 */
import { InputError } from "../src/errors.ts";
import { EvaluationData, type SceneRecord } from "../src/evaluate/emoji/evaluation-data.ts";
import { isPlain } from "../src/evaluate/emoji/reference-pictures.ts";
import { netScorer, SHAPE_SCORER } from "../src/evaluate/emoji/scorer.ts";
import { meanOf } from "../src/evaluate/estimate.ts";
import { NetFeatures } from "../src/evaluate/net-features.ts";
import { type LabelledFeature, rankOf } from "../src/evaluate/retrieval.ts";
import { SCENE_REWARDS } from "../src/evaluate/rewards/reward-spec.ts";
import { type PromptReward, sceneReward } from "../src/evaluate/rewards/scene-rewards.ts";
import { CHOSEN_BY } from "../src/generate/recipe-chosen.ts";
import type { PictureScore } from "../src/generate/score-picture.ts";
import { worth } from "../src/generate/score-plan.ts";
import type { RgbImage } from "../src/image/pixels.ts";
import { stretch } from "../src/image/resize.ts";
import { defaultModelPath } from "../src/node/default-model.ts";
import { open } from "../src/node/open-model.ts";
import { LocalEngine } from "../src/runtime/node/local-engine.ts";
import { DEFAULT_STYLE } from "../src/train/data/emoji/emoji-styles.ts";
import { meanOf as mean } from "../src/train/reward/group-advantages.ts";
import { rewardsOf } from "../src/train/reward/reward.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "compare-best-of";
const HELP = `
Usage: npm run ${TOOL} -- --data FOLDER --features FILE [--model FOLDER]

Draws prompts with several seeds and tells whether the best by the model's own score, or by a reward, is better than any of them.

Options:
  --data FOLDER     what \`nextstep data emoji\` made
  --model FOLDER    (default: the model in this package)
  --features FILE   weights of EfficientNet-lite0
  --of N            seeds of each prompt (default: 4)
  --count N         prompts of each kind, held-out scenes and single subjects (default: 40)
  --seed N          of the drawings (default: 1)
  --threads N       (default: 2)`;

const { values } = toolOptions(TOOL, HELP, {
  options: {
    data: { type: "string" },
    model: { type: "string", default: defaultModelPath() },
    features: { type: "string" },
    of: { type: "string", default: "4" },
    count: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
  },
});
const { data: folder, features } = values;
if (folder === undefined || features === undefined) refuseUsage(TOOL, "--data and --features are needed");
const of = wholeOption(TOOL, "of", values.of ?? "4", 2);
const count = wholeOption(TOOL, "count", values.count ?? "40", 2);
const seed = wholeOption(TOOL, "seed", values.seed ?? "1");
const threads = wholeOption(TOOL, "threads", values.threads ?? "2", 1);

await using engine = new LocalEngine({ threads, spin: false });
const scorer = netScorer(await NetFeatures.open(engine, features));
await using data = await EvaluationData.open(folder);
await using model = await open(values.model, { threads });
const side = model.size[0];
const sized = (picture: RgbImage): RgbImage =>
  picture.width === side && picture.height === side ? picture : stretch(picture, [side, side], "lanczos");

const known = new Set(model.trained.subjects);
const names = new Map(data.subjects.map(({ id, names: own }) => [id, own[0] ?? id]));
const isKnown = (id: string | undefined): boolean =>
  id === undefined || known.has(id) || known.has(names.get(id) ?? "");
const drawable = (record: SceneRecord): boolean =>
  record.shows.style === DEFAULT_STYLE &&
  isKnown(record.shows.subject) &&
  isKnown(record.shows.second_subject);
const heldOut = data.scenes.heldOut.filter((record) => drawable(record) && !isPlain(record.shows));
const plain = data.scenes.seen.filter((record) => drawable(record) && isPlain(record.shows));
/** Some of a list, evenly. */
const some = (records: readonly SceneRecord[]): readonly SceneRecord[] =>
  records.filter(
    (_, index) =>
      Math.floor((index * count) / records.length) !== Math.floor(((index - 1) * count) / records.length),
  );

const references: LabelledFeature[] = [];
for (const record of plain) {
  const [feature] = await scorer.of([sized(await record.load())]);
  references.push({ subject: record.shows.subject, feature: feature! });
}

const rewards = SCENE_REWARDS.map((name) => sceneReward(name, data, SHAPE_SCORER));
/** The one that judges a prompt, if one does. */
const rewardFor = (prompt: string): PromptReward | undefined =>
  rewards.find(({ refuseUnjudged }) => {
    try {
      refuseUnjudged([prompt]);
      return true;
    } catch (error) {
      if (error instanceof InputError) return false;
      throw error;
    }
  });

interface Judged {
  /** Cosine distance of net features to the real picture, of each seed. */
  readonly distances: readonly number[];
  /** 1 where the subject's own picture is nearest among those of all that the model knows; of scenes nothing. */
  readonly nearest: readonly number[];
  /** By each measure, the worth of each seed. */
  readonly worths: ReadonlyMap<string, readonly number[]>;
}

async function judge(record: SceneRecord, index: number): Promise<Judged> {
  const pictures = await model.draw(record.caption, {
    seed: seed + index * of,
    count: of,
    size: { width: side, height: side },
  });
  const scores: PictureScore[] = [];
  for (const { grid, tokens } of pictures) scores.push(await model.score(record.caption, { grid, tokens }));
  const reward = rewardFor(record.caption)?.reward;
  const rewarded =
    reward === undefined
      ? undefined
      : await rewardsOf(
          reward,
          pictures.map(({ pixels }) => ({ prompt: record.caption, pixels })),
        );
  const [real] = await scorer.of([sized(await record.load())]);
  const drawn = await scorer.of(pictures.map(({ pixels }) => pixels));
  const { subject } = record.shows;
  const distances = drawn.map((feature) => scorer.distance(feature, real!));
  return {
    distances,
    nearest: isPlain(record.shows)
      ? drawn.map((feature) => (rankOf({ subject, feature }, references, scorer.distance) === 1 ? 1 : 0))
      : [],
    worths: new Map<string, readonly number[]>([
      ...CHOSEN_BY.map((by) => [by, scores.map((score) => worth(score, by))] as const),
      ...(rewarded === undefined ? [] : [["reward", [...rewarded]] as const]),
      ["real picture", distances.map((distance) => -distance)],
    ]),
  };
}

for (const [kind, records] of [
  ["held-out scenes", some(heldOut)],
  ["single subjects", some(plain)],
] as const) {
  const all: Judged[] = [];
  for (const [index, record] of records.entries()) {
    all.push(await judge(record, index));
    process.stderr.write(`${kind} ${index + 1}/${records.length}\n`);
  }
  for (const by of [...CHOSEN_BY, "reward", "real picture"]) {
    const judged = all.filter(({ worths }) => worths.has(by));
    if (judged.length < 2) continue;
    const best = judged.map(({ worths }) => {
      const own = worths.get(by) ?? [];
      return own.indexOf(Math.max(...own));
    });
    const against = (numbers: (own: Judged) => readonly number[]) => ({
      random: meanOf(judged.map((own) => mean(numbers(own)))),
      best: meanOf(judged.map((own, index) => numbers(own)[best[index]!]!)),
      difference: meanOf(judged.map((own, index) => numbers(own)[best[index]!]! - mean(numbers(own)))),
    });
    const retrieval = judged[0]!.nearest.length > 0 ? { top1: against(({ nearest }) => nearest) } : {};
    const line = {
      kind,
      by,
      prompts: judged.length,
      of,
      distance: against(({ distances }) => distances),
      ...retrieval,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}
