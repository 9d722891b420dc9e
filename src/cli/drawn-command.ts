/** @file `nextstep data drawn`. */
import type { Command } from "commander";
import { integerBetween } from "./option-values.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

interface DrawnOptions {
  readonly pictures: number;
  readonly seed: number;
  readonly threads?: number;
  readonly json?: true;
}

/** Adds `drawn` to the `data` commands. */
export function addDrawnCommand(data: Command, terminal: Terminal): void {
  data
    .command("drawn")
    .description("draw tokens along real pictures, for training the decoder on them")
    .argument("<model>", "folder of the model that draws")
    .argument("<out>", "folder to make")
    .argument("<data...>", "tars, or folders of tars, with captioned pictures")
    .option("--pictures <count>", "how many, chosen at random", integerBetween(1, 1_000_000), 1000)
    .option(
      "--seed <n>",
      "decides the choice, the captions and the noise",
      integerBetween(0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .option("--threads <n>", "threads of one operator (default: the processors)", integerBetween(1, 256))
    .option("--json", "print JSON")
    .action(async (model: string, out: string, paths: string[], options: DrawnOptions) => {
      const { writeDrawnLatents } = await import("../train/model/drawn-latents.ts");
      const line = progressLine(terminal);
      const { pictures, seed, threads } = options;
      const result = await writeDrawnLatents({
        ...{ model, out, data: paths, pictures, seed },
        ...(threads === undefined ? {} : { threads }),
        signal: terminal.signal,
        onProgress: ({ done, total }) => line.update("drawing", done, total),
      });
      line.clear();
      const text = `${result.pictures} pictures in ${out}`;
      terminal.out.write(`${options.json === true ? JSON.stringify(result) : text}\n`);
    });
}
