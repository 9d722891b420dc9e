/** @file The commands that draw, `nextstep PROMPT` and `nextstep again`, with the published names of their options. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { REWARD_FORMS, type RewardSpec } from "../evaluate/rewards/reward-spec.ts";
import { DEFAULT_TEMPERATURE } from "../generate/choose-token.ts";
import { DEFAULT_COUNT, MAX_COUNT } from "../generate/draw-options.ts";
import { CFG_SCHEDULES } from "../generate/guidance.ts";
import { CHOSEN_BY, type ChosenBy } from "../generate/recipe-chosen.ts";
import { MAX_GUIDANCE, MAX_LAG, MAX_NOISE_LEVEL, MAX_SEED, MAX_SHIFT } from "../generate/settings.ts";
import { MAX_STEPS, NOISY_SAMPLERS, SAMPLER_NAMES } from "../generate/solvers.ts";
import { STEP_SCHEDULES } from "../generate/step-schedule.ts";
import { DEFAULT_THOUGHT_TOKENS, MAX_THOUGHT_TOKENS } from "../generate/think-options.ts";
import { ASPECT_NAMES } from "../image/aspect-buckets.ts";
import { adapterArgument } from "./adapter-options.ts";
import { DEFAULT_CHOSEN_BY } from "./best-of.ts";
import { drawContradiction, outputContradiction } from "./draw-contradictions.ts";
import type { DrawCommandOptions, OutputOptions } from "./draw-options.ts";
import { addModelOptions } from "./model-options.ts";
import {
  collect,
  integerBetween,
  MAX_TEMPERATURE,
  numberBetween,
  pictureSize,
  pictureTarget,
  pngFile,
  probability,
  withDefault,
} from "./option-values.ts";
import type { Target } from "./picture-file.ts";
import { addRewardSources, rewardArgument } from "./reward-options.ts";
import type { Terminal } from "./terminal.ts";
import { refuseUsage } from "./usage-error.ts";

const HERE: Target = { kind: "folder", path: "." };
/** A default that each model states for itself. */
const THE_MODELS = "the model's";

function addOutputOptions(command: Command): Command {
  command
    .option("--image <file>", "picture to edit or refer to; repeat for several", collect)
    .addOption(adapterOption())
    .addOption(
      new Option("--out <path>", "file.png, a folder, or - for one PNG on standard output")
        .default(HERE, "this folder")
        .argParser(pictureTarget),
    )
    .option(
      "--noise <file>",
      "safetensors file with `noise` [pictures, tokens, draws, 64] in place of the seed's, which then only names the file",
    )
    .option("--save-tokens <file>", "keep tokens, latents and pictures as floats in a safetensors file")
    .option(
      "--job <file>",
      "keep the drawing in a file while it is made; one that takes a minute or longer is kept beside its pictures anyway",
    )
    .addOption(previewFileOption())
    .option("--no-preview", "show no picture in the terminal")
    .option("--json", "print JSON");
  return addModelOptions(command);
}

/** The model's own measures, or a reward. */
function chosenBy(text: string): ChosenBy | RewardSpec {
  const own = CHOSEN_BY.find((name) => name === text);
  if (own !== undefined) return own;
  try {
    return rewardArgument(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(`${error.message}; or give ${CHOSEN_BY.join(" or ")}`);
  }
}

/** Of all commands that draw. */
export function adapterOption(): Option {
  return new Option(
    "--adapter <folder[:scale]>",
    "adapter in PEFT's layout that draws along; repeat for several",
  ).argParser(adapterArgument);
}

/** The option of all commands that draw. */
export function previewFileOption(): Option {
  return new Option(
    "--preview-file <file.png>",
    "show the picture so far in a file, row by row; in the end it holds the picture, of several all in one",
  ).argParser(pngFile);
}

const NOTES = `
A drawing that is interrupted goes on with: nextstep resume FILE.job
Settings that are left out are the model's own (nextstep.json in its folder), or those published for its release.
A picture in the folder is never overwritten; a file.png that is named is replaced.`;

/** Adds the default command, which draws, and `again`. Their work is loaded only when one of them is called. */
export function addDrawCommands(program: Command, terminal: Terminal): void {
  const draw = program
    .command("draw", { isDefault: true })
    .description("draw what the prompts say (the default command)")
    .argument("<prompts...>", "one text a picture")
    .option(
      "--cfg <scale>",
      withDefault("guidance by the prompt, 1 for none", THE_MODELS),
      numberBetween(0, MAX_GUIDANCE),
    )
    .option(
      "--cfg-img <scale>",
      withDefault("guidance by input pictures, 1 for none", THE_MODELS),
      numberBetween(0, MAX_GUIDANCE),
    )
    .addOption(
      new Option("--cfg-schedule <name>", withDefault("guidance along the tokens", THE_MODELS)).choices(
        CFG_SCHEDULES,
      ),
    )
    .option(
      "--cfg-until <share>",
      withDefault("guide only this share of the tokens, the first ones: the others cost half", THE_MODELS),
      probability,
    )
    .option("--steps <n>", withDefault("solver steps a token", THE_MODELS), integerBetween(1, MAX_STEPS))
    .option(
      "--last-steps <n>",
      withDefault("solver steps of the last token, to which they fall from --steps", THE_MODELS),
      integerBetween(1, MAX_STEPS),
    )
    .addOption(
      new Option("--step-schedule <name>", withDefault("how they fall to --last-steps", THE_MODELS)).choices(
        STEP_SCHEDULES,
      ),
    )
    .option(
      "--row-lag <n>",
      withDefault(
        "start each row of tokens when the one above is n ahead, and draw both at once",
        THE_MODELS,
      ),
      integerBetween(1, MAX_LAG),
    )
    .option(
      "--shift <s>",
      withDefault("timestep shift, above 1 for more steps near the noise", THE_MODELS),
      numberBetween(1 / MAX_SHIFT, MAX_SHIFT),
    )
    .addOption(new Option("--sampler <name>", withDefault("solver", THE_MODELS)).choices(SAMPLER_NAMES))
    .option(
      "--noise-level <s>",
      withDefault(`noise of the samplers ${NOISY_SAMPLERS.join(" and ")}`, THE_MODELS),
      numberBetween(0, MAX_NOISE_LEVEL),
    )
    .option("--use-norm", withDefault("normalise each token (first release)", THE_MODELS))
    .option("--no-use-norm", "do not")
    .option("--positive <text>", withDefault("added behind every prompt", THE_MODELS))
    .option("--negative <text>", withDefault("what guidance leads away from", THE_MODELS))
    .option("--seed <n>", withDefault("of the first picture", "at random"), integerBetween(0, MAX_SEED))
    .option(
      "--size <WxH>",
      withDefault("in pixels, multiples of 16", "the first input picture's, or the square the model knows"),
      pictureSize,
    )
    .addOption(new Option("--aspect <name>", "shape instead of a size").choices(ASPECT_NAMES))
    .option(
      "--count <n>",
      withDefault("pictures of each prompt", DEFAULT_COUNT),
      integerBetween(1, MAX_COUNT),
    )
    .option(
      "--best-of <n>",
      "draw n pictures of each prompt, with seeds behind one another, and keep the best (by the score of the model in this package no better than chance: docs/measurements.md); what is resumed is kept whole",
      integerBetween(2, MAX_COUNT),
    )
    .option(
      "--by <measure>",
      withDefault(
        `what is best: likelihood (the lowest loss, see score), gain (the most that the prompt explains), or a reward: ${REWARD_FORMS}`,
        DEFAULT_CHOSEN_BY,
      ),
      chosenBy,
    );
  addRewardSources(draw)
    .option("--think", "let the model write down what it will draw first, and draw from that")
    .option(
      "--think-tokens <n>",
      withDefault("most tokens of such a thought", DEFAULT_THOUGHT_TOKENS),
      integerBetween(2, MAX_THOUGHT_TOKENS),
    )
    .option(
      "--think-temperature <t>",
      withDefault("0 gives the pictures of a prompt one thought, above each its own", DEFAULT_TEMPERATURE),
      numberBetween(0, MAX_TEMPERATURE),
    );
  // Both set the same value, of which the parser keeps the last.
  const norms = new Set<string>();
  for (const name of ["use-norm", "no-use-norm"]) draw.on(`option:${name}`, () => norms.add(name));
  addOutputOptions(draw)
    .addHelpText("after", NOTES)
    .action(async (prompts: string[], options: DrawCommandOptions, command: Command) => {
      if (norms.size > 1)
        refuseUsage(command, "--use-norm and --no-use-norm exclude each other: give one of them");
      refuseUsage(command, drawContradiction(prompts, options, terminal));
      const { runDraw } = await import("./draw.ts");
      await runDraw(prompts, options, terminal, (contradiction) => refuseUsage(command, contradiction));
    });
  addOutputOptions(
    program
      .command("again")
      .description("draw the picture in a PNG again, exactly, with as many threads as it was drawn with")
      .argument("<file>", "PNG that nextstep wrote"),
  ).action(async (file: string, options: OutputOptions, command: Command) => {
    refuseUsage(command, outputContradiction(options, 1, terminal));
    const { runAgain } = await import("./draw.ts");
    await runAgain(file, options, terminal);
  });
}
