/** @file The commands `nextstep models` and `nextstep models rm`. Their work is loaded only when they are called. */
import type { Command } from "commander";
import type { Terminal } from "./terminal.ts";

/** Adds `models`. */
export function addModelsCommand(program: Command, terminal: Terminal): void {
  const models = program
    .command("models")
    .description("list the models in the hub's cache: size, kind, whether they can be opened")
    .option("--json", "print JSON")
    .action(async (options: { json?: true }) => {
      const { runModels } = await import("./models.ts");
      await runModels(options.json === true, terminal);
    });
  models
    .command("rm")
    .description("remove a model from the cache, or one revision of it; asks nothing")
    .argument("<name>", "ORG/NAME for all of it, ORG/NAME@REVISION for one revision")
    .action(async (name: string) => {
      const { runRemove } = await import("./models.ts");
      await runRemove(name, terminal);
    });
}
