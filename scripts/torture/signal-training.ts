/** @file SIGINT, SIGTERM and SIGHUP in training with one checkpoint kept, and SIGKILL soon after or not at all. */
import { constants } from "node:os";
import { join } from "node:path";
import { badFailure } from "./command.ts";
import { pause } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { STAGES } from "./tiny-training.ts";
import { TrainingRun } from "./training-run.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Time in which a signalled process saves and goes. */
const ENDING_MS = 120;

async function signalTraining(trials: Trials): Promise<void> {
  const { rng } = trials;
  const runs: TrainingRun[] = [];
  for (const stage of STAGES) {
    runs.push(await TrainingRun.create(trials, stage, join(trials.folder, stage), { keep: 1 }));
  }
  for (let trial = 0; trial < trials.count; trial++) {
    const run = runs[trial % runs.length]!;
    const process = run.start();
    for (let steps = rng.below(3); steps >= 0; steps--) await process.until(({ type }) => type === "step");
    await pause((n) => rng.below(n), 60);
    const name = SIGNALS[trial % SIGNALS.length]!;
    const isSpared = rng.below(3) === 0;
    process.command.kill(name);
    if (!isSpared) {
      await pause((n) => rng.below(n), ENDING_MS);
      process.command.kill("SIGKILL");
    }
    const end = await process.command.ended;
    if (end.signal === "SIGKILL") {
      run.learn(process);
      trials.outcome(`${name}, then SIGKILL before it had ended`);
    } else if (end.code === 0) {
      run.learn(process);
      await run.checkFinished(end);
      await run.restart();
      trials.outcome("ended by itself before the signal");
    } else {
      // In its own time it saves all that it did.
      run.learn(process, process.reached);
      const wrong = badFailure(end, [128 + constants.signals[name]]);
      if (wrong !== undefined) trials.lost(`${run.stage} after ${name}: ${wrong}`);
      trials.outcome(`${name}, saved and ended with its code`);
    }
    trials.next();
  }
  for (const run of runs) await run.finish();
}

export const signalTrainingScenario: Scenario = {
  name: "signal-training",
  about: "SIGINT, SIGTERM or SIGHUP, then SIGKILL, with one checkpoint kept",
  trials: (count) => Math.ceil(count / 5),
  run: signalTraining,
};
