/** @file The options by which every command names its model, and how the model is then opened. */
import type { Command } from "commander";
import { gigabytes } from "../formats/gigabytes.ts";
import { printable } from "../formats/quoted.ts";
import type { Model } from "../generate/model.ts";
import { type LoadProgress, MAX_THREADS, type OpenOptions } from "../generate/open-options.ts";
import { integerBetween, withDefault } from "./option-values.ts";
import { ERASE_LINE, rewritesLines } from "./progress-stream.ts";
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
  terminal: Terminal,
  more: Pick<OpenOptions, "maxPictures" | "cacheBytes" | "promptBytes" | "adapters" | "onWork"> = {},
): Promise<Model> {
  // Loaded only by commands that draw or write.
  const { open } = await import("../node/open-model.ts");
  const { signal } = terminal;
  return open(model, {
    ...more,
    signal,
    checkMemory: memoryCheck !== false,
    onProgress: scratchNotice(terminal),
    ...(threads === undefined ? {} : { threads }),
  });
}

/** Says once that disk is taken, by the first of the model's parts that takes some. */
export function scratchNotice({
  err,
  environment,
}: Pick<Terminal, "err" | "environment">): (progress: LoadProgress) => void {
  let said = false;
  return (progress) => {
    if (progress.phase !== "taking scratch space" || said) return;
    said = true;
    const { folder, bytes } = progress;
    // A line that says what is being done may stand there.
    err.write(
      `${rewritesLines(err, environment) ? ERASE_LINE : ""}note: weights are repacked in a file of up to ${gigabytes(bytes)} in ${printable(folder)} while they load; \`nextstep convert\` saves that\n`,
    );
  };
}
