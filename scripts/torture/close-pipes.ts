/** @file Whoever reads standard output or standard error goes away at a random moment. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { badFailure, RunningCommand } from "./command.ts";
import { DRAWN, DrawingReference } from "./drawing-run.ts";
import { folderDigest, leftBehind } from "./folder-digest.ts";
import { pause } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { STAGES } from "./tiny-training.ts";
import { namesIn, TrainingRun } from "./training-run.ts";

/** As shells have it for SIGPIPE. */
const NOBODY_READS = 141;

async function training(trials: Trials, trial: number): Promise<void> {
  const { rng } = trials;
  const run = await TrainingRun.create(trials, trials.pick(STAGES), join(trials.folder, `run-${trial}`));
  const process = run.start();
  for (let steps = rng.below(4); steps >= 0; steps--) await process.until(({ type }) => type === "step");
  await pause((n) => rng.below(n), 60);
  const stream = trials.pick(["stdout", "stderr"] as const);
  process.command.child[stream]?.destroy();
  const end = await process.command.ended;
  run.learn(process, process.reached);
  if (stream === "stderr" || end.code === 0) {
    await run.checkFinished(end);
    trials.outcome(`training without ${stream}: went on to the end`);
  } else {
    const bad = badFailure(end, [NOBODY_READS]);
    if (bad !== undefined) trials.lost(`training: ${bad}`);
    else trials.outcome("training without stdout: saved and ended with 141");
    await run.finish();
  }
  await rm(run.output, { recursive: true, force: true });
}

async function drawing(trials: Trials, reference: DrawingReference): Promise<void> {
  const { rng } = trials;
  const out = join(trials.folder, "pictures");
  const command = new RunningCommand([...reference.argsTo(out), ...(rng.below(2) === 0 ? ["--json"] : [])]);
  await Promise.race([pause((n) => rng.below(n), reference.milliseconds), command.ended]);
  const stream = trials.pick(["stdout", "stderr"] as const);
  command.child[stream]?.destroy();
  const bad = badFailure(await command.ended, stream === "stdout" ? [0, NOBODY_READS] : [0]);
  if (bad !== undefined) trials.lost(`drawing without ${stream}: ${bad}`);
  const saved = namesIn(out).length;
  if (saved !== DRAWN) trials.lost(`drawing without ${stream}: ${saved} of ${DRAWN} pictures`);
  const wrong = await reference.wrong(out);
  if (wrong.length > 0) trials.lost(`not whole: ${wrong.join(", ")}`);
  trials.outcome(`drawing without ${stream}: all pictures saved`);
  await rm(out, { recursive: true, force: true });
}

async function building(trials: Trials, whole: string): Promise<void> {
  const out = join(trials.folder, "built", "data");
  const stream = trials.pick(["stdout", "stderr"] as const);
  const command = new RunningCommand(["data", "build", trials.workshop.pictures, out, "--held-out", "0.2"]);
  await pause((n) => trials.rng.below(n), 200);
  command.child[stream]?.destroy();
  const bad = badFailure(await command.ended, [0, NOBODY_READS]);
  if (bad !== undefined) trials.lost(`data build without ${stream}: ${bad}`);
  const digest = await folderDigest(out);
  const left = await leftBehind(join(trials.folder, "built"));
  if ((digest !== "" && digest !== whole) || left.length > 0) trials.lost("data build left half a data set");
  trials.outcome(`data build without ${stream}: ${digest === "" ? "nothing left" : "whole"}`);
  await rm(out, { recursive: true, force: true });
}

async function closePipes(trials: Trials): Promise<void> {
  const reference = await DrawingReference.take(trials);
  const whole = await folderDigest(trials.workshop.data);
  const kinds = [
    (trial: number) => training(trials, trial),
    () => drawing(trials, reference),
    () => building(trials, whole),
  ];
  for (let trial = 0; trial < trials.count; trial++) {
    await kinds[trial % kinds.length]!(trial);
    trials.next();
  }
}

export const closePipesScenario: Scenario = {
  name: "close-pipes",
  about: "standard output or error closed while training, drawing, building data",
  trials: (count) => 3 * Math.ceil(count / 16),
  run: closePipes,
};
