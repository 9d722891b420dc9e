/** @file Several processes that want the same place at the same moment. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { badFailure, type Ended, lastLine, nextstep } from "./command.ts";
import { DRAWN, DrawingReference } from "./drawing-run.ts";
import { folderDigest, leftBehind } from "./folder-digest.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { STAGES } from "./tiny-training.ts";
import { TrainingRun } from "./training-run.ts";

const AT_ONCE = 3;

/** Of several, those that went through; the others must have said what is in their way. */
function winners(trials: Trials, what: string, ends: readonly Ended[], reason: RegExp): number {
  const won = ends.filter(({ code }) => code === 0).length;
  for (const end of ends.filter(({ code }) => code !== 0)) {
    const bad = badFailure(end, [1]);
    if (bad !== undefined) trials.lost(`${what}: ${bad}`);
    else if (!reason.test(end.err)) trials.lost(`${what}: refused with another reason: ${lastLine(end.err)}`);
  }
  trials.outcome(`${what}: ${won} of ${ends.length} went through, the others refused by name`);
  return won;
}

async function trainers(trials: Trials, trial: number): Promise<void> {
  const run = await TrainingRun.create(trials, trials.pick(STAGES), join(trials.folder, `run-${trial}`));
  const processes = Array.from({ length: AT_ONCE }, () => run.start());
  const ends = await Promise.all(processes.map(({ command }) => command.ended));
  const won = winners(trials, "trainers in one run folder", ends, /trains in this folder/);
  // One that comes when the other has ended finds nothing to do.
  if (won === 0) trials.lost("none of the trainers went through");
  else await run.checkFinished(ends.find(({ code }) => code === 0)!);
}

async function builders(trials: Trials, trial: number, whole: string): Promise<void> {
  const out = join(trials.folder, "built", `data-${trial}`);
  const args = ["data", "build", trials.workshop.pictures, out, "--held-out", "0.2"];
  const ends = await Promise.all(Array.from({ length: AT_ONCE }, () => nextstep(args)));
  if (winners(trials, "data builders to one folder", ends, /cannot be written|not empty/) !== 1) {
    trials.lost("of the data builders not one alone went through");
  }
  if ((await folderDigest(out)) !== whole) trials.lost("the data set is another");
  const left = await leftBehind(join(trials.folder, "built"));
  if (left.length > 0) trials.lost(`data builders left behind ${left.join(", ")}`);
}

async function drawers(trials: Trials, trial: number, reference: DrawingReference): Promise<void> {
  const out = join(trials.folder, `pictures-${trial}`);
  const ends = await Promise.all(Array.from({ length: AT_ONCE }, () => nextstep(reference.argsTo(out))));
  if (winners(trials, "drawers of the same pictures", ends, /^$/) !== AT_ONCE) return;
  const names = await readdir(out);
  if (names.length !== AT_ONCE * DRAWN) trials.lost(`${names.length} files for ${AT_ONCE * DRAWN} pictures`);
  const wrong = await reference.wrong(out);
  if (wrong.length > 0) trials.lost(`other pictures: ${wrong.join(", ")}`);
  const told = ends.flatMap(({ out: text }) => text.trimEnd().split("\n"));
  if (new Set(told).size !== names.length)
    trials.lost(`${told.length} names are told for ${names.length} files`);
  await rm(out, { recursive: true });
}

async function atOnce(trials: Trials): Promise<void> {
  const reference = await DrawingReference.take(trials);
  const whole = await folderDigest(trials.workshop.data);
  const kinds = [
    (trial: number) => trainers(trials, trial),
    (trial: number) => builders(trials, trial, whole),
    (trial: number) => drawers(trials, trial, reference),
  ];
  for (let trial = 0; trial < trials.count; trial++) {
    await kinds[trial % kinds.length]!(trial);
    trials.next();
  }
}

export const atOnceScenario: Scenario = {
  name: "at-once",
  about: "three trainers, data builders or drawers that want the same place at the same moment",
  trials: (count) => 3 * Math.ceil(count / 25),
  run: atOnce,
};
