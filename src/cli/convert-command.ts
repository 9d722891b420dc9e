/** @file `nextstep convert`: a model's weights to 4 or 8 bits. */
import { stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import { MAX_THREADS } from "../generate/open-options.ts";
import { integerBetween } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";
import { refuseUsage } from "./usage-error.ts";

interface ConvertOptions {
  readonly pull?: true;
  readonly bits: "4" | "8";
  readonly threads?: number;
  readonly json?: true;
}

export function addConvertCommand(program: Command, terminal: Terminal): void {
  program
    .command("convert")
    .description(
      "round a model's weights to 4 or 8 bits, into a new folder; started again, it continues. Weights that others quantized keep their values",
    )
    .argument("<source>", "model folder in a published layout, or ORG/NAME[@REVISION] that was pulled")
    .argument("<out>", "folder to make")
    .addOption(
      new Option("--bits <n>", "bits of the layers; tables and image head keep 8")
        .choices(["4", "8"])
        .makeOptionMandatory(),
    )
    .option(
      "--pull",
      "fetch ORG/NAME meanwhile, keeping no more of it than is being converted, and nothing where the disk has no room for a shard; the environment is that of pull",
    )
    .option("--threads <n>", "threads (default: all processors)", integerBetween(1, MAX_THREADS))
    .option("--json", "print JSON; with --pull, lines of it: space, progress, result")
    .action(
      async (source: string, out: string, { bits, pull, ...options }: ConvertOptions, command: Command) => {
        if (pull === true) refuseUsage(command, await pullContradiction(source));
        const settings = { ...options, bits: Number(bits) as 4 | 8 };
        if (pull === true) {
          const { runConvertPassing } = await import("./convert-passing.ts");
          await runConvertPassing(source, out, settings, terminal);
        } else {
          const { runConvert } = await import("./convert.ts");
          await runConvert(source, out, settings, terminal);
        }
      },
    );
}

/** What is wrong with fetching `source`, in one line; undefined if nothing is. */
async function pullContradiction(source: string): Promise<string | undefined> {
  if ((await stat(source).catch(() => undefined)) !== undefined)
    return `--pull fetches ORG/NAME from the hub, but ${source} is here: leave --pull out`;
  return undefined;
}
