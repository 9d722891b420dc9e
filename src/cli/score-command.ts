/** @file The command that asks a model how well it expects pictures, `nextstep score PROMPT FILE...`. */
import type { Command } from "commander";
import { DEFAULT_SCORE_SEED, DEFAULT_SCORE_TIMES, MAX_SCORE_TIMES } from "../generate/score-picture.ts";
import { MAX_SEED } from "../generate/settings.ts";
import { adapterOption } from "./draw-command.ts";
import { addModelOptions } from "./model-options.ts";
import { collect, integerBetween, pngFile, withDefault } from "./option-values.ts";
import type { ScoreCommandOptions } from "./score-options.ts";
import type { Terminal } from "./terminal.ts";
import { refuseUsage } from "./usage-error.ts";

const NOTES = `
The loss is what training makes small: the mean squared error of the velocities that lead from noise to each token, read behind
the prompt. Lower is likelier. What the prompt explains is by how much the loss is lower than without a prompt: it compares
pictures of which some are easier than others. Scores of other models, times or seeds do not compare.`;

/** Adds `score`. Its work is loaded only when it is called. */
export function addScoreCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("score")
    .description("say how well the model expects pictures under a prompt")
    .argument("<prompt>", "what the pictures are to show")
    .argument("<files...>", "pictures")
    .option("--image <file>", "picture that the prompt refers to; repeat for several", collect)
    .addOption(adapterOption())
    .option(
      "--times <n>",
      withDefault("times between noise and picture at which each token is asked for", DEFAULT_SCORE_TIMES),
      integerBetween(1, MAX_SCORE_TIMES),
    )
    .option("--seed <n>", withDefault("of the noise", DEFAULT_SCORE_SEED), integerBetween(0, MAX_SEED))
    .option(
      "--heat-map <file.png>",
      "show each token's loss over the picture, from dark for the lowest to yellow for the highest",
      pngFile,
    )
    .option("--json", "print a JSON line for each file when it is done");
  addModelOptions(command)
    .addHelpText("after", NOTES)
    .action(async (prompt: string, files: string[], options: ScoreCommandOptions, own: Command) => {
      if (options.heatMap !== undefined && files.length > 1) {
        refuseUsage(own, `--heat-map is one file for ${files.length} pictures: give one picture`);
      }
      const { runScore } = await import("./score.ts");
      await runScore(prompt, files, options, terminal);
    });
}
