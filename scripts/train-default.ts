/**
 * @file `npm run train-default [-- --list]`: makes the default model, stage after stage, from data to package. Stopped
 * and started again, it goes on where it was; `--list` only says what is done and what is left.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runChild } from "./child-process.ts";
import { stageLine, stageStates } from "./default-stages.ts";

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
    const { code } = await runChild(state.stage.command, folder);
    if (code !== 0) {
      say(`stage ${state.stage.name} ended with exit code ${code}; start again to go on`);
      process.exit(code);
    }
  }
  say("\nall stages are done");
}
