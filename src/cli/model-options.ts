/** @file The options by which every command names its model, and how the model is then opened. */
import type { Command } from "commander";
import type { Model } from "../generate/model.ts";
import { MAX_THREADS } from "../generate/open-options.ts";
import { integerBetween, withDefault } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";

export interface ModelOptions {
  readonly model?: string;
  readonly threads?: number;
  readonly memoryCheck?: boolean;
}

export function addModelOptions(command: Command): Command {
  return command
    .option(
      "--model <name>",
      withDefault("model folder, or ORG/NAME that was pulled", "the model in this package"),
    )
    .option("--threads <n>", withDefault("threads", "all processors"), integerBetween(1, MAX_THREADS))
    .option("--no-memory-check", "begin also what is estimated to take more memory than there is");
}

/** Opens the model that the options name; given up when the terminal's signal fires. */
export async function openNamedModel(
  { model, threads, memoryCheck }: ModelOptions,
  { signal }: Terminal,
): Promise<Model> {
  // Loaded only by commands that draw or write.
  const { open } = await import("../node/open-model.ts");
  const checkMemory = memoryCheck !== false;
  return open(model, { signal, checkMemory, ...(threads === undefined ? {} : { threads }) });
}
