/** @file The commands that write, `nextstep caption FILE` and `nextstep write TEXT`. */
import type { Command } from "commander";
import { DEFAULT_TEMPERATURE, DEFAULT_TOP_P } from "../generate/choose-token.ts";
import { MAX_SEED } from "../generate/settings.ts";
import { DEFAULT_MAX_TOKENS, DEFAULT_TEXT_SEED } from "../generate/write-options.ts";
import { addModelOptions } from "./model-options.ts";
import { integerBetween, MAX_TEMPERATURE, numberBetween, probability, withDefault } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";
import { type TextCommandOptions, textContradiction } from "./text-options.ts";
import { refuseUsage } from "./usage-error.ts";

function addTextOptions(command: Command): Command {
  command
    .option(
      "--max-tokens <n>",
      withDefault("most tokens of a text", DEFAULT_MAX_TOKENS),
      integerBetween(1, Number.MAX_SAFE_INTEGER),
    )
    .option(
      "--temperature <t>",
      withDefault("0 takes the best token, 1 draws by the model's probabilities", DEFAULT_TEMPERATURE),
      numberBetween(0, MAX_TEMPERATURE),
    )
    .option(
      "--top-k <n>",
      withDefault("draw among the n best tokens only", "all"),
      integerBetween(1, Number.MAX_SAFE_INTEGER),
    )
    .option(
      "--top-p <p>",
      withDefault("draw among the best tokens that reach this probability", DEFAULT_TOP_P),
      probability,
    )
    .option("--seed <n>", withDefault("of the draws", DEFAULT_TEXT_SEED), integerBetween(0, MAX_SEED));
  return addModelOptions(command);
}

/** Adds `caption` and `write`. Their work is loaded only when one of them is called. */
export function addTextCommands(program: Command, terminal: Terminal): void {
  addTextOptions(
    program
      .command("caption")
      .description("say what pictures show, in the words the model was trained with")
      .argument("<files...>", "pictures"),
  )
    .option("--json", "print a JSON line for each file when it is done")
    .action(async (files: string[], options: TextCommandOptions, command: Command) => {
      refuseUsage(command, textContradiction(options));
      const { runCaption } = await import("./text.ts");
      await runCaption(files, options, terminal);
    });
  addTextOptions(
    program
      .command("write")
      .description("continue a text")
      .argument("<text>", "what is continued; - reads it from standard input"),
  )
    .option("--json", "print JSON when it is done")
    .action(async (text: string, options: TextCommandOptions, command: Command) => {
      refuseUsage(command, textContradiction(options));
      const { runWrite } = await import("./text.ts");
      await runWrite(text, options, terminal);
    });
}
