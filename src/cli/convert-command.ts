/** @file `nextstep convert`: a model's weights to 4 or 8 bits. */
import { type Command, Option } from "commander";
import { MAX_THREADS } from "../generate/open-options.ts";
import { integerBetween } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";

interface ConvertOptions {
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
    .argument("<source>", "model folder in a published layout, or ORG/NAME that was pulled")
    .argument("<out>", "folder to make")
    .addOption(
      new Option("--bits <n>", "bits of the layers; tables and image head keep 8")
        .choices(["4", "8"])
        .makeOptionMandatory(),
    )
    .option("--threads <n>", "threads (default: all processors)", integerBetween(1, MAX_THREADS))
    .option("--json", "print JSON")
    .action(async (source: string, out: string, { bits, ...options }: ConvertOptions) => {
      const { runConvert } = await import("./convert.ts");
      await runConvert(source, out, { ...options, bits: Number(bits) as 4 | 8 }, terminal);
    });
}
