/** @file `nextstep synth`: a checkpoint of the published names, shapes and types, with weights at random. */
import { type Command, Option } from "commander";
import { MAX_SEED } from "../generate/settings.ts";
import { integerBetween } from "./option-values.ts";
import type { Terminal } from "./terminal.ts";

interface SynthOptions {
  readonly shape: "14b" | "tiny";
  readonly bits: "4" | "8" | "16";
  readonly seed: number;
  readonly json?: true;
}

export function addSynthCommand(program: Command, terminal: Terminal): void {
  program
    .command("synth")
    .description("write a stand-in for a published model, with weights at random, to measure with")
    .argument("<out>", "folder to make")
    .addOption(
      new Option("--shape <name>", "sizes of the model").choices(["14b", "tiny"]).makeOptionMandatory(),
    )
    .addOption(
      new Option("--bits <n>", "16 as published, else as `nextstep convert` leaves it")
        .choices(["4", "8", "16"])
        .default("16"),
    )
    .option("--seed <n>", "decides the weights", integerBetween(0, MAX_SEED), 0)
    .option("--json", "print JSON")
    .action(async (out: string, options: SynthOptions) => {
      const { runSynth } = await import("./synth.ts");
      await runSynth(out, { ...options, bits: Number(options.bits) as 4 | 8 | 16 }, terminal);
    });
}
