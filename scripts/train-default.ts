/**
 * @file `npm run train-default [-- --list]`: makes the default model, stage after stage, from data to package. Stopped
 * and started again, it goes on where it was; `--list` only says what is done and what is left.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type DefaultStage, stageLine, stageStates } from "./default-stages.ts";

/** float32 products of a common two-core machine; hours are told for it. */
const GIGAFLOPS_PER_SECOND = 100;

const { values } = parseArgs({ options: { list: { type: "boolean", default: false } } });
const folder = fileURLToPath(new URL("..", import.meta.url));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const states = await stageStates(folder);
for (const state of states) say(stageLine(state, GIGAFLOPS_PER_SECOND));
if (!values.list) {
  for (const [index, state] of states.entries()) {
    if (state.isDone) continue;
    say(`\nstage ${index + 1} of ${states.length}: ${stageLine(state, GIGAFLOPS_PER_SECOND)}`);
    const code = await run(state.stage);
    if (code !== 0) {
      say(`stage ${state.stage.name} ended with exit code ${code}; start again to go on`);
      process.exit(code);
    }
  }
  say("\nall stages are done");
}

/** Runs a stage as a process of its own, which is asked to end when this one is. */
async function run({ command }: DefaultStage): Promise<number> {
  const [first = "", ...rest] = command;
  const args = first.endsWith(".ts") ? [first, ...rest] : ["src/cli/main.ts", ...command];
  // The loader that runs this script runs the stage, too.
  const child = spawn(process.execPath, [...process.execArgv, ...args], { cwd: folder, stdio: "inherit" });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", pass).on("SIGTERM", pass);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    process.off("SIGINT", pass).off("SIGTERM", pass);
  }
}
