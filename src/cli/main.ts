#!/usr/bin/env node
/** @file The `nextstep` command. Each command's code is loaded only when it is called: drawing starts at once. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { NextStepError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import { addConvertCommand } from "./convert-command.ts";
import { addDrawCommands } from "./draw-command.ts";
import { EXIT_CODES_HELP, EXIT_FAILURE, EXIT_USAGE, watchForEnding } from "./exit-code.ts";
import { addSynthCommand } from "./synth-command.ts";
import type { Terminal } from "./terminal.ts";

function addInspectCommand(program: Command, terminal: Terminal): void {
  program
    .command("inspect")
    .description("tell what a file or model folder holds, and what is wrong with it")
    .argument("<path>", "model folder, safetensors, torch archive, tar, picture or JSON")
    .option("--json", "print JSON")
    .action(async (path: string, options: { json?: true }) => {
      const { runInspect } = await import("./inspect.ts");
      await runInspect(path, options.json === true, terminal);
    });
}

function addTrainCommands(program: Command, terminal: Terminal): void {
  const train = program
    .command("train")
    .description("train an autoencoder or a model; started again, it continues");
  for (const stage of ["autoencoder", "model"] as const) {
    train
      .command(stage)
      .description(
        stage === "autoencoder" ? "train the image autoencoder" : "train the transformer and its image head",
      )
      .argument("<config>", "JSON file with the settings")
      .option("--json", "print events as JSON lines")
      .action(async (config: string, options: { json?: true }) => {
        const { runTraining } = await import("./train.ts");
        await runTraining(stage, config, options.json === true, terminal);
      });
  }
}

function addDataCommands(program: Command, terminal: Terminal): void {
  const data = program.command("data").description("make and look at training data");
  data
    .command("emoji")
    .description("render emoji from npm packages, with captions, licences and credits")
    .argument("<out>", "folder to make")
    .option("--subjects <count>", "only the best known subjects")
    .option("--styles <names>", "comma-separated styles; 3D must be among them")
    .option("--scenes <share>", "share of composed scenes, 0 to below 1")
    .option("--edits <share>", "edits for each training picture, 0 to below 1")
    .option("--avatars <count>", "portraits made of attributes, beside the emoji")
    .option("--seed <n>", "decides scenes, edits and order")
    .option("--json", "print JSON")
    .action(async (out: string, options: Record<string, string | true>) => {
      const { runEmoji } = await import("./data.ts");
      await runEmoji(out, options, terminal);
    });
  data
    .command("build")
    .description("pack a folder of pictures with captions, of edits or of texts")
    .argument("<folder>", "files in one of the layouts that docs/data.md shows")
    .argument("<out>", "folder to make")
    .option("--type <type>", "image_text_pair, image_editing or nlp (default: image_text_pair)")
    .option("--held-out <share>", "share to hold out in OUT/heldout, above 0 and below 1 (default: none)")
    .option("--json", "print JSON")
    .action(async (folder: string, out: string, options: Record<string, string | true>) => {
      const { runBuild } = await import("./data.ts");
      await runBuild(folder, out, options, terminal);
    });
  data
    .command("stats")
    .description("count samples, sizes, captions and licences")
    .argument("<path>", "tar, or folder of tars")
    .option("--json", "print JSON")
    .action(async (path: string, options: { json?: true }) => {
      const { runStats } = await import("./data.ts");
      await runStats(path, options.json === true, terminal);
    });
  data
    .command("check")
    .description("decode everything and list what is wrong; exit 1 if anything is")
    .argument("<path>", "tar, or folder of tars")
    .option("--json", "print JSON lines: each fault, then the result")
    .action(async (path: string, options: { json?: true }) => {
      const { runCheck } = await import("./data.ts");
      await runCheck(path, options.json === true, terminal);
    });
}

/** Runs the command line `argv` (without node and script) and sets the process' exit code. */
async function main(argv: readonly string[]): Promise<void> {
  const ending = watchForEnding(process.stdout, process.stderr);
  const terminal: Terminal = {
    out: process.stdout,
    err: process.stderr,
    environment: process.env,
    signal: ending.signal,
  };
  const program = new Command("nextstep")
    .description("Draws pictures by next-token prediction.")
    .version(packageVersion(), "--version", "print the version")
    .exitOverride()
    .showHelpAfterError("(see nextstep --help)")
    .usage("[options] <prompts...>")
    .addHelpText(
      "after",
      `
Examples:
  nextstep "a red apple"                    draw, named after prompt and seed
  nextstep "a dog" --count 4 --seed 7       four pictures in one batch
  nextstep again a-red-apple-7.png          the same picture again
  nextstep draw --help                      all options of drawing

${EXIT_CODES_HELP}`,
    )
    .enablePositionalOptions();
  addDrawCommands(program, terminal);
  addInspectCommand(program, terminal);
  addTrainCommands(program, terminal);
  addDataCommands(program, terminal);
  addConvertCommand(program, terminal);
  addSynthCommand(program, terminal);
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    const code = reportFailure(error, terminal, ending.code());
    // Output that could not be written sets a code of its own, before this or after.
    if (code !== 0) process.exitCode = code;
  }
}

function packageVersion(): string {
  // Two folders above this file, in the sources as in the build.
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

/**
 * One line a failure; only faults of the program itself show a stack.
 * @param ended the code of what made the work end early: that it was then given up goes without saying.
 */
function reportFailure(error: unknown, terminal: Terminal, ended: number | undefined): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (ended !== undefined && error instanceof NextStepError && error.code === "aborted") return ended;
  const isExpected = error instanceof Error && (error instanceof NextStepError || "code" in error);
  const text =
    error instanceof Error && !isExpected && ended === undefined
      ? error.stack
      : printable(error instanceof Error ? error.message : String(error));
  terminal.err.write(`nextstep: ${text}\n`);
  return ended ?? EXIT_FAILURE;
}

await main(process.argv.slice(2));
