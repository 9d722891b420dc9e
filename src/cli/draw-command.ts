/** @file The commands that draw, `nextstep PROMPT` and `nextstep again`, with the published names of their options. */
import { type Command, Option } from "commander";
import { MAX_COUNT } from "../generate/draw-options.ts";
import { CFG_SCHEDULES } from "../generate/guidance.ts";
import { MAX_THREADS } from "../generate/open-options.ts";
import { MAX_GUIDANCE, MAX_SEED, MAX_SHIFT } from "../generate/settings.ts";
import { MAX_STEPS, SAMPLER_NAMES } from "../generate/solvers.ts";
import { ASPECT_NAMES } from "../image/aspect-buckets.ts";
import type { DrawCommandOptions, OutputOptions } from "./draw-options.ts";
import { collect, integerBetween, numberBetween, pictureSize } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";

function addOutputOptions(command: Command): Command {
  return command
    .option("--image <file>", "picture to edit or refer to; repeat for several", collect)
    .option(
      "--model <name>",
      "model folder, or ORG/NAME that was pulled (default: the model in this package)",
    )
    .option("--out <path>", "file.png, or a folder (default: this folder)")
    .option(
      "--noise <file>",
      "safetensors file with `noise` [pictures, tokens, draws, 64] in place of the seed's",
    )
    .option("--save-tokens <file>", "keep tokens, latents and pictures as floats in a safetensors file")
    .option("--threads <n>", "threads (default: all processors)", integerBetween(1, MAX_THREADS))
    .option("--no-preview", "show no picture in the terminal")
    .option("--json", "print JSON");
}

/** Adds the default command, which draws, and `again`. Their work is loaded only when one of them is called. */
export function addDrawCommands(program: Command, terminal: Terminal): void {
  const draw = program
    .command("draw", { isDefault: true })
    .description("draw what the prompts say (the default command)")
    .argument("<prompts...>", "one text a picture")
    .option("--cfg <scale>", "guidance by the prompt, 1 for none", numberBetween(0, MAX_GUIDANCE))
    .option("--cfg-img <scale>", "guidance by input pictures, 1 for none", numberBetween(0, MAX_GUIDANCE))
    .addOption(new Option("--cfg-schedule <name>", "guidance along the tokens").choices([...CFG_SCHEDULES]))
    .option("--steps <n>", "solver steps a token", integerBetween(1, MAX_STEPS))
    .option(
      "--shift <s>",
      "timestep shift, above 1 for more steps near the noise",
      numberBetween(1 / MAX_SHIFT, MAX_SHIFT),
    )
    .addOption(new Option("--sampler <name>", "solver").choices([...SAMPLER_NAMES]))
    .option("--use-norm", "normalise each token (first release)")
    .option("--no-use-norm", "do not")
    .option("--positive <text>", "added behind every prompt")
    .option("--negative <text>", "what guidance leads away from")
    .option("--seed <n>", "of the first picture (default: at random)", integerBetween(0, MAX_SEED))
    .option("--size <WxH>", "in pixels, multiples of 16", pictureSize)
    .addOption(new Option("--aspect <name>", "shape instead of a size").choices([...ASPECT_NAMES]))
    .option("--count <n>", "pictures of each prompt", integerBetween(1, MAX_COUNT));
  addOutputOptions(draw).action(async (prompts: string[], options: DrawCommandOptions) => {
    const { runDraw } = await import("./draw.ts");
    await runDraw(prompts, options, terminal);
  });
  addOutputOptions(
    program
      .command("again")
      .description("draw the picture in a PNG again, exactly, with as many threads as it was drawn with")
      .argument("<file>", "PNG that nextstep wrote"),
  ).action(async (file: string, options: OutputOptions) => {
    const { runAgain } = await import("./draw.ts");
    await runAgain(file, options, terminal);
  });
}
