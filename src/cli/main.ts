#!/usr/bin/env node
/** @file The `nextstep` command. Each command's code is loaded only when it is called: drawing starts at once. */
import { Command, CommanderError } from "commander";
import { NextStepError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import { packageVersion } from "../node/package-root.ts";
import { addCompletionCommand } from "./completion-command.ts";
import { addConvertCommand } from "./convert-command.ts";
import { addDataCommands } from "./data-command.ts";
import { addDrawCommands } from "./draw-command.ts";
import { addEvaluateCommand } from "./evaluate-command.ts";
import { EXIT_CODES_HELP, EXIT_FAILURE, EXIT_USAGE, watchForEnding } from "./exit-code.ts";
import { addLearnCommands } from "./learn-command.ts";
import { addModelsCommand } from "./models-command.ts";
import { addPreferCommand } from "./prefer-command.ts";
import { addPullCommand } from "./pull-command.ts";
import { addResumeCommand } from "./resume-command.ts";
import { addScoreCommand } from "./score-command.ts";
import { addServeCommands } from "./serve-command.ts";
import { addSynthCommand } from "./synth-command.ts";
import type { Terminal } from "./terminal.ts";
import { addTextCommands } from "./text-command.ts";
import { addTrainCommands } from "./train-command.ts";
import { tellMistakesInOneLine } from "./usage-error.ts";

function addInspectCommand(program: Command, terminal: Terminal): void {
  program
    .command("inspect")
    .description("tell what a file or model folder holds, and what is wrong with it")
    .argument(
      "<path>",
      "model folder or ORG/NAME that was pulled, safetensors, torch archive, tar, picture or JSON",
    )
    .option("--json", "print JSON")
    .option("--subjects", "list all that a model can be asked for")
    .action(async (path: string, options: { json?: true; subjects?: true }) => {
      const { runInspect } = await import("./inspect.ts");
      await runInspect(path, options, terminal);
    });
}

/** Runs the command line `argv` (without node and script) and sets the process' exit code. */
async function main(argv: readonly string[]): Promise<void> {
  const ending = watchForEnding(process.stdout, process.stderr);
  const terminal: Terminal = {
    // Standard input is opened only by who reads it.
    get in() {
      return process.stdin;
    },
    out: process.stdout,
    err: process.stderr,
    environment: process.env,
    signal: ending.signal,
  };
  const program = new Command("nextstep")
    .description("Draws pictures by next-token prediction.")
    .version(packageVersion(), "--version", "print the version")
    .exitOverride()
    .usage("[options] <prompts...>")
    .addHelpText(
      "after",
      `
Examples:
  nextstep "a red apple"                    draw, named after prompt and seed
  nextstep "a dog" --count 4 --seed 7       four pictures in one batch
  nextstep again a-red-apple-7.png          the same picture again
  nextstep caption a-red-apple-7.png        what the model sees in a picture
  nextstep draw --help                      all options of drawing

${EXIT_CODES_HELP}`,
    )
    .enablePositionalOptions();
  addDrawCommands(program, terminal);
  addResumeCommand(program, terminal);
  addTextCommands(program, terminal);
  addScoreCommand(program, terminal);
  addEvaluateCommand(program, terminal);
  addServeCommands(program, terminal);
  addInspectCommand(program, terminal);
  addPullCommand(program, terminal);
  addModelsCommand(program, terminal);
  addTrainCommands(program, terminal);
  addPreferCommand(program, terminal);
  addLearnCommands(program, terminal);
  addDataCommands(program, terminal);
  addConvertCommand(program, terminal);
  addSynthCommand(program, terminal);
  addCompletionCommand(program, terminal);
  tellMistakesInOneLine(program);
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    const code = reportFailure(error, terminal, ending.code());
    // Output that could not be written sets a code of its own, before this or after.
    if (code !== 0) process.exitCode = code;
  }
}

/**
 * One line a failure; only faults of the program itself show a stack.
 * @param ended the code of what made the work end early: that it was then given up goes without saying.
 */
function reportFailure(error: unknown, terminal: Terminal, ended: number | undefined): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (ended !== undefined && error instanceof NextStepError && error.code === "aborted") return ended;
  if (error instanceof Error && "syscall" in error && error.syscall === "uv_cwd") {
    terminal.err.write("nextstep: the working directory is gone (change to one that is there)\n");
    return EXIT_FAILURE;
  }
  const isExpected = error instanceof Error && (error instanceof NextStepError || "code" in error);
  const text =
    error instanceof Error && !isExpected && ended === undefined
      ? error.stack
      : printable(error instanceof Error ? error.message : String(error));
  terminal.err.write(`nextstep: ${text}\n`);
  return ended ?? EXIT_FAILURE;
}

await main(process.argv.slice(2));
