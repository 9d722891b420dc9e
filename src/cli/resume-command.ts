/** @file The command `nextstep resume FILE`, which goes on with a drawing that was interrupted. */
import type { Command } from "commander";
import { adapterOption, previewFileOption } from "./draw-command.ts";
import type { ResumeCommandOptions } from "./draw-options.ts";
import { addModelOptions } from "./model-options.ts";
import type { Terminal } from "./terminal.ts";

export function addResumeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("resume")
    .description("go on with a drawing that was interrupted, to the picture that it would have been")
    .argument("<file>", "the .job file that was named when the drawing ended")
    .option("--noise <file>", "where the given noise is now, if it was moved")
    .addOption(adapterOption())
    .addOption(previewFileOption());
  addModelOptions(command)
    .addHelpText(
      "after",
      `
Model, threads, output and its form are as they were when the drawing began; --model says where the model is now, --adapter
where its adapters are.`,
    )
    .action(async (file: string, options: ResumeCommandOptions) => {
      const { runResume } = await import("./resume.ts");
      await runResume(file, options, terminal);
    });
}
