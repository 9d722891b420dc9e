/** @file SIGKILL at random moments of all kinds of training, inside saves and renames among them. */
import { join } from "node:path";
import { pause, until } from "./moment.ts";
import type { Scenario, Trials } from "./scenario.ts";
import { STAGES } from "./tiny-training.ts";
import { namesIn, type TrainingProcess, TrainingRun } from "./training-run.ts";

/** About as long as a save of these tiny runs takes. */
const SAVE_MS = 30;
const STEP_MS = 60;

/** Ways of choosing the moment of a kill. */
const MOMENTS: readonly ((run: TrainingRun, process: TrainingProcess, trials: Trials) => Promise<void>)[] = [
  // Any time, while the process starts as likely as later.
  (run, { command }, { rng }) => Promise.race([pause((n) => rng.below(n), run.milliseconds), ended(command)]),
  async (_run, process, { rng }) => {
    for (let steps = rng.below(5); steps >= 0; steps--) await process.until(({ type }) => type === "step");
    await pause((n) => rng.below(n), STEP_MS);
  },
  async (run, { command }, { rng }) => {
    const folder = join(run.output, "checkpoints");
    for (let saves = rng.below(2); saves >= 0; saves--) {
      const isSaving = (): boolean => namesIn(folder).some((name) => name.endsWith(".partial"));
      await until(command, isSaving);
      if (saves > 0) await until(command, () => !isSaving());
    }
    await pause((n) => rng.below(n), SAVE_MS);
  },
  async (run, { command }) => {
    const folder = join(run.output, "checkpoints");
    await until(command, () => namesIn(folder).some((name) => /\.(?:replaced|removed)$/.test(name)));
  },
  async (run, { command }, { rng }) => {
    await until(command, () => namesIn(run.output).includes("model.partial"));
    await pause((n) => rng.below(n), SAVE_MS);
  },
];

async function ended(command: TrainingProcess["command"]): Promise<void> {
  await command.ended.catch(() => {});
}

async function killTraining(trials: Trials): Promise<void> {
  const runs: TrainingRun[] = [];
  for (const stage of STAGES) {
    // With one checkpoint kept, there is no older one to fall back on.
    runs.push(await TrainingRun.create(trials, stage, join(trials.folder, stage), { keep: 1 }));
  }
  for (let kill = 0; kill < trials.count; kill++) {
    const run = runs[kill % runs.length]!;
    // A process that ends before its moment comes is a run that is through; the next begins from nothing.
    for (;;) {
      const process = run.start();
      await trials.pick(MOMENTS)(run, process, trials);
      process.command.kill("SIGKILL");
      const end = await process.command.ended;
      run.learn(process);
      if (end.signal === "SIGKILL") {
        trials.outcome(`${run.stage} killed ${run.whereKilled(process)}`);
        break;
      }
      await run.checkFinished(end);
      trials.outcome(`${run.stage} ended with the bits of an undisturbed run`);
      await run.restart();
    }
    trials.next();
  }
  for (const run of runs) {
    await run.finish();
    trials.outcome(`${run.stage} ended with the bits of an undisturbed run`);
  }
}

export const killTrainingScenario: Scenario = {
  name: "kill-training",
  about: "SIGKILL in all kinds of training at random moments, inside a save and between its renames too",
  trials: (count) => Math.ceil(0.6 * count),
  run: killTraining,
};
