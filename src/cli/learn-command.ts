/** @file `nextstep learn` and `nextstep merge`: arguments and options. */
import type { Command } from "commander";
import { type AdapterArgument, adapterArgument } from "./adapter-options.ts";
import type { LearnCommandOptions } from "./learn-options.ts";
import { addModelOptions } from "./model-options.ts";
import { integerBetween, withDefault } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";

export function addLearnCommands(program: Command, terminal: Terminal): void {
  const learn = program
    .command("learn")
    .description(
      "teach a model one thing from 8 to 30 pictures of it; stopped and started again, it continues",
    )
    .argument("<folder>", "pictures; a caption may stand beside each (mug-1.png, mug-1.txt)")
    .requiredOption("--word <text>", 'what the thing is to be called, e.g. "my mug"')
    .option("--out <folder>", withDefault("folder to make, an adapter", "named after the word"))
    .option(
      "--steps <n>",
      "updates, fewer for less time (default: what suits the model in this package)",
      integerBetween(1, 100_000),
    )
    .option("--json", "print JSON: events as lines");
  addModelOptions(learn).action(async (folder: string, options: LearnCommandOptions) => {
    const { runLearn } = await import("./learn.ts");
    await runLearn(folder, options, terminal);
  });
  program
    .command("merge")
    .description("add adapters to a model's own weights, into a new folder")
    .argument("<model>", "model folder, or ORG/NAME that was pulled")
    .argument("<out>", "folder to make")
    .requiredOption(
      "--adapter <folder[:scale]>",
      "adapter in PEFT's layout; repeat for several",
      adapterArgument,
    )
    .action(async (model: string, out: string, options: { adapter: readonly AdapterArgument[] }) => {
      const { runMerge } = await import("./merge.ts");
      await runMerge(model, out, options.adapter, terminal);
    });
}
