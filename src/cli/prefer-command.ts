/** @file The command that makes pairs for preference training, `nextstep prefer PROMPTS`. */
import { type Command, Option } from "commander";
import { REWARD_FORMS } from "../evaluate/rewards/reward-spec.ts";
import { MAX_COUNT } from "../generate/draw-options.ts";
import { MAX_GUIDANCE, MAX_SEED } from "../generate/settings.ts";
import { MAX_STEPS, SAMPLER_NAMES } from "../generate/solvers.ts";
import { adapterOption } from "./draw-command.ts";
import { addModelOptions } from "./model-options.ts";
import { integerBetween, numberBetween, pictureSize, withDefault } from "./option-values.ts";
import {
  DEFAULT_PAIRS,
  DEFAULT_PER_PROMPT,
  DEFAULT_PREFER_AT_ONCE,
  DEFAULT_PREFER_SEED,
  type PreferCommandOptions,
} from "./prefer-options.ts";
import { addRewardSources, rewardArgument } from "./reward-options.ts";
import type { Terminal } from "./terminal.ts";

const THE_MODELS = "the model's";

const NOTES = `
Of the pictures of a prompt, a winner is taken at random from the best quarter, and a loser from the others that has less. The
folder is what \`pairs\` of \`nextstep train preference\` names; the paths of a command:PROGRAM come one a line on its standard
input, its numbers are read one a line from its standard output. A run that is stopped goes on with the same command.`;

/** Adds `prefer`. Its work is loaded only when it is called. */
export function addPreferCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("prefer")
    .description("draw prompts several times, score the pictures, and keep pairs of a better and a worse one")
    .argument("<prompts>", "text file, a prompt a line")
    .requiredOption("--reward <reward>", `what is better: ${REWARD_FORMS}`, rewardArgument)
    .requiredOption("--out <folder>", "where the pairs go; a folder holds one run");
  addRewardSources(command)
    .option(
      "--per-prompt <n>",
      withDefault("pictures of each prompt", DEFAULT_PER_PROMPT),
      integerBetween(2, MAX_COUNT),
    )
    .option("--pairs <n>", withDefault("most pairs of each prompt", DEFAULT_PAIRS), integerBetween(1, 1024))
    .option(
      "--apart <x>",
      withDefault("least difference between the rewards of a pair", "any"),
      numberBetween(0, Number.MAX_VALUE),
    )
    .option(
      "--seed <n>",
      withDefault("of the first picture; every picture has its own", DEFAULT_PREFER_SEED),
      integerBetween(0, MAX_SEED),
    )
    .option(
      "--at-once <n>",
      withDefault("pictures drawn at once", DEFAULT_PREFER_AT_ONCE),
      integerBetween(1, 256),
    )
    .option(
      "--cfg <scale>",
      withDefault("guidance by the prompt, 1 for none", THE_MODELS),
      numberBetween(0, MAX_GUIDANCE),
    )
    .option("--steps <n>", withDefault("solver steps a token", THE_MODELS), integerBetween(1, MAX_STEPS))
    .addOption(new Option("--sampler <name>", withDefault("solver", THE_MODELS)).choices(SAMPLER_NAMES))
    .option("--positive <text>", withDefault("added behind every prompt", THE_MODELS))
    .option("--negative <text>", withDefault("what guidance leads away from", THE_MODELS))
    .option("--size <WxH>", withDefault("in pixels", "the square the model knows"), pictureSize)
    .addOption(adapterOption())
    .option("--json", "print JSON");
  addModelOptions(command)
    .addHelpText("after", NOTES)
    .action(async (prompts: string, options: PreferCommandOptions) => {
      const { runPrefer } = await import("./prefer.ts");
      await runPrefer(prompts, options, terminal);
    });
}
