/** @file The command that draws for published benchmarks, `nextstep evaluate BENCHMARK`. */
import { Argument, type Command, Option } from "commander";
import { BENCHMARK_IDS, BENCHMARK_SOURCES } from "../evaluate/benchmarks/benchmark-sources.ts";
import { MAX_GUIDANCE, MAX_SEED } from "../generate/settings.ts";
import { MAX_STEPS, SAMPLER_NAMES } from "../generate/solvers.ts";
import { adapterOption } from "./draw-command.ts";
import { DEFAULT_AT_ONCE, DEFAULT_EVALUATION_SEED, type EvaluateCommandOptions } from "./evaluate-options.ts";
import { addModelOptions } from "./model-options.ts";
import { integerBetween, numberBetween, pictureSize, withDefault } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";
import { refuseUsage } from "./usage-error.ts";

const THE_MODELS = "the model's";
/** The most pictures of a prompt that any layout takes. */
const MAX_COUNT = 9;

function notes(): string {
  const sources = Object.values(BENCHMARK_SOURCES);
  const lines = sources.map(
    ({ id, title, repository, prompts, counts }) =>
      `  ${id.padEnd(8)} ${title}, ${repository}\n           prompts: ${prompts}\n           pictures of a prompt: ${counts.join(", ")}`,
  );
  return `
Prompts are not in this package; fetch them as they are published:
${lines.join("\n")}

No picture is scored here, because every one of these benchmarks is scored by a large model; the commands of its own scorer are
printed at the end. A run that is stopped goes on with the same command: pictures that are there and whole are not drawn again.`;
}

/** Adds `evaluate`. Its work is loaded only when it is called. */
export function addEvaluateCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("evaluate")
    .description("draw what a published benchmark asks for, laid out as its own scorer reads it")
    .addArgument(new Argument("<benchmark>", "which one").choices(BENCHMARK_IDS))
    .requiredOption("--prompts <paths...>", "files of prompts, as they are published")
    .requiredOption("--out <folder>", "where the pictures go; a folder holds one run")
    .option("--images <folder>", "the pictures that are edited, for imgedit")
    .option(
      "--count <n>",
      withDefault("pictures of each prompt", "as published"),
      integerBetween(1, MAX_COUNT),
    )
    .option(
      "--seed <n>",
      withDefault("of the first picture; every picture has its own", DEFAULT_EVALUATION_SEED),
      integerBetween(0, MAX_SEED),
    )
    .option("--name <name>", withDefault("what scorers call the model", "that of its folder"))
    .option("--at-once <n>", withDefault("pictures drawn at once", DEFAULT_AT_ONCE), integerBetween(1, 256))
    .option(
      "--cfg <scale>",
      withDefault("guidance by the prompt", THE_MODELS),
      numberBetween(0, MAX_GUIDANCE),
    )
    .option(
      "--cfg-img <scale>",
      withDefault("guidance by the picture that is edited", THE_MODELS),
      numberBetween(0, MAX_GUIDANCE),
    )
    .option("--steps <n>", withDefault("solver steps a token", THE_MODELS), integerBetween(1, MAX_STEPS))
    .addOption(new Option("--sampler <name>", withDefault("solver", THE_MODELS)).choices(SAMPLER_NAMES))
    .option("--positive <text>", withDefault("added behind every prompt", THE_MODELS))
    .option("--negative <text>", withDefault("what guidance leads away from", THE_MODELS))
    .option(
      "--size <WxH>",
      withDefault("in pixels", "the square the model knows; of an edit, the bucket nearest to its source"),
      pictureSize,
    )
    .option("--think", "let the model write down what it will draw first")
    .addOption(adapterOption())
    .option("--json", "print JSON");
  addModelOptions(command)
    .addHelpText("after", notes())
    .action(async (benchmark: string, options: EvaluateCommandOptions, own: Command) => {
      const { runEvaluate } = await import("./evaluate.ts");
      await runEvaluate(benchmark, options, terminal, (contradiction) => refuseUsage(own, contradiction));
    });
}
