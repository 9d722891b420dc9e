/**
 * @file `npm run compare-rewards -- --prompts FILE --reward NAME [--model FOLDER] [NAME:FOLDER=JSON ...]`: what a reward says of
 * the drawings of prompts, by a model and by others or with other settings, with the same seeds (docs/rewards.md). A line of JSON
 * each. Prompts are what differs most, so drawings are compared prompt by prompt: the interval of the mean difference is the one
 * that says whether a reward rose.
 */
import { meanOf } from "../src/evaluate/estimate.ts";
import { openReward } from "../src/evaluate/rewards/open-reward.ts";
import { parseRewardSpec } from "../src/evaluate/rewards/reward-spec.ts";
import { defaultModelPath } from "../src/node/default-model.ts";
import { open } from "../src/node/open-model.ts";
import { readPromptLines } from "../src/train/data/prompt-lines.ts";
import { meanOf as mean } from "../src/train/reward/group-advantages.ts";
import { rewardsOf } from "../src/train/reward/reward.ts";
import { type DrawingVariant, drawingSettings, drawingVariants } from "./drawing-variants.ts";
import { refuseUsage, toolOptions, wholeOption } from "./tool-options.ts";

const TOOL = "compare-rewards";
const HELP = `
Usage: npm run ${TOOL} -- --prompts FILE --reward NAME [--model FOLDER] [NAME:FOLDER=JSON ...]

Draws prompts with a model and with others, or with other settings, and compares what a reward says of the pictures.

  nextstep merge models/default merged --adapter runs/counting/model
  npm run ${TOOL} -- --prompts held-out.txt --reward count --data data/emoji 'taught:merged={}'

Options:
  --prompts FILE    one a line
  --reward NAME     as \`nextstep prefer\` takes it
  --data FOLDER     what \`nextstep data emoji\` made, for rewards that know its things
  --features FILE   weights of EfficientNet-lite0, for rewards that compare pictures
  --model FOLDER    (default: the model in this package)
  --settings JSON   of all drawings, where they have no others: '{"sampler":"cps","cfg":1}' is what reward learning draws with
  --per-prompt N    pictures of each prompt (default: 4)
  --seed N          of the drawings (default: 1)
  --threads N       (default: 2)`;

/** Pictures drawn at once. */
const BATCH = 32;

const { values, positionals } = toolOptions(TOOL, HELP, {
  allowPositionals: true,
  options: {
    prompts: { type: "string" },
    reward: { type: "string" },
    data: { type: "string" },
    features: { type: "string" },
    model: { type: "string", default: defaultModelPath() },
    settings: { type: "string", default: "{}" },
    "per-prompt": { type: "string", default: "4" },
    seed: { type: "string", default: "1" },
    threads: { type: "string", default: "2" },
  },
});
const { prompts: file, reward: spec, data, features } = values;
if (file === undefined || spec === undefined) refuseUsage(TOOL, "--prompts and --reward are needed");
const source = values.model ?? defaultModelPath();
const perPrompt = wholeOption(TOOL, "per-prompt", values["per-prompt"] ?? "4", 1);
const seed = wholeOption(TOOL, "seed", values.seed ?? "1");
const threads = wholeOption(TOOL, "threads", values.threads ?? "2", 1);
const shared = drawingSettings(TOOL, values.settings ?? "{}");
const variants = drawingVariants(TOOL, source, positionals);
const prompts = await readPromptLines(file);
await using judge = await openReward(parseRewardSpec(spec), {
  threads,
  ...(data === undefined ? {} : { data }),
  ...(features === undefined ? {} : { features }),
});
judge.refuseUnjudged(prompts);
const wanted = prompts.flatMap((prompt) => Array.from({ length: perPrompt }, () => prompt));

/** The mean reward of each prompt. */
async function rewardsByPrompt({ name, model: path, settings }: DrawingVariant): Promise<readonly number[]> {
  await using model = await open(path, { threads });
  const rewards: number[] = [];
  for (let start = 0; start < wanted.length; start += BATCH) {
    const asked = wanted.slice(start, start + BATCH);
    const drawn = await model.draw(asked, { ...shared, ...settings, seed: seed + start });
    const pictures = drawn.map(({ pixels }, index) => ({ prompt: asked[index]!, pixels }));
    rewards.push(...(await rewardsOf(judge.reward, pictures)));
    process.stderr.write(`${name} ${rewards.length}/${wanted.length}\n`);
  }
  return prompts.map((_, index) => mean(rewards.slice(index * perPrompt, (index + 1) * perPrompt)));
}

let base: readonly number[] | undefined;
for (const variant of variants) {
  const rewards = await rewardsByPrompt(variant);
  base ??= rewards;
  const before = base;
  const line = {
    name: variant.name,
    settings: { ...shared, ...variant.settings },
    reward: meanOf(rewards),
    difference: meanOf(rewards.map((value, index) => value - before[index]!)),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
