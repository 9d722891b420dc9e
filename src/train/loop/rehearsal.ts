/** @file What a run would take, from a few steps that are really taken, on weights that are thrown away. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AbortedError } from "../../errors.ts";
import type { StepPlan } from "../objective/objective.ts";
import { MovingAverage } from "../optimizer/ema.ts";
import { computeGradients } from "./gradients.ts";
import type { LoopConfig } from "./train-config.ts";
import type { TrainStage } from "./train-stage.ts";

/** Steps that are alike: their times are measured together. */
export interface Stretch {
  readonly steps: number;
}

/** What a stage says of its work beside doing it. */
export interface Workload<Plan extends StepPlan> {
  /** Samples and pictures of the training data. */
  readonly samples: number;
  readonly pictures: number;
  /** In order, all steps of the run. */
  readonly stretches: readonly Stretch[];
  /** Bytes of prepared pictures that a run keeps in memory; a rehearsal prepares only those of its steps. */
  readonly keptBytes: number;
  /** Sizes of an update by name, e.g. its tokens. */
  sizesOf(plan: Plan): Readonly<Record<string, number>>;
}

export interface Rehearsal {
  /** Trained elements. */
  readonly parameters: number;
  /** Updates of the whole run, and those that a checkpoint in the run folder holds already. */
  readonly steps: number;
  readonly done: number;
  /** Samples and pictures of the training data. */
  readonly samples: number;
  readonly pictures: number;
  /** Means of an update over the measured steps; `pictures` among them. */
  readonly perStep: Readonly<Record<string, number>>;
  /** How often each picture is seen from here on, on average. */
  readonly epochs: number;
  readonly memory: {
    /** Weights, gradients, moments and averages, in bytes. */
    readonly state: number;
    /** Most that this process held in the rehearsal, and what a run keeps of prepared pictures beside it, in bytes. */
    readonly peak: number;
  };
  readonly time: {
    /** Steps whose time was taken. */
    readonly measuredSteps: number;
    /** Mean over the steps that are left. */
    readonly secondsPerStep: number;
    /** Decoding and encoding the data's pictures once. */
    readonly preparationSeconds: number;
    /** All that is left, without validation, samples and checkpoints. */
    readonly totalSeconds: number;
  };
  /** Samples that cannot be used, among those that were looked at. */
  readonly faulty: readonly string[];
}

/**
 * A config for a rehearsal in place of a run: what is made goes to a temporary folder, which is removed behind `use`, and
 * nothing is cached, so that only pictures that steps ask for are encoded.
 */
export async function withRehearsalConfig<Config extends { output: string; cacheBytes: number }, Result>(
  config: Config,
  use: (config: Config) => Promise<Result>,
): Promise<Result> {
  const output = await mkdtemp(join(tmpdir(), "nextstep-rehearsal-"));
  try {
    return await use({ ...config, output, cacheBytes: 0 });
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** Measured steps of a stretch: at least the fewest, then more while time is left, so that their mean is worth something. */
const [FEWEST_STEPS, MOST_STEPS] = [2, 8] as const;
const STRETCH_MS = 20_000;

interface MeasuredStep {
  readonly seconds: number;
  /** Of preparing one picture. */
  readonly pictureSeconds: number;
  readonly sizes: Readonly<Record<string, number>>;
}

/**
 * Takes some steps of each stretch.
 * @param done updates that need not be taken any more.
 * @throws AbortedError when the signal fires.
 */
export async function rehearse<Plan extends StepPlan>(
  stage: TrainStage<Plan>,
  workload: Workload<Plan>,
  options: { readonly config: LoopConfig; readonly done: number; readonly signal?: AbortSignal | undefined },
): Promise<Rehearsal> {
  const { config, done, signal } = options;
  const average = config.ema === null ? undefined : new MovingAverage(stage.trainables, config.ema);
  const takeStep = async (step: number): Promise<MeasuredStep> => {
    if (signal?.aborted === true) throw new AbortedError("the rehearsal was stopped");
    const start = performance.now();
    const plan = await stage.planner.plan(step);
    await computeGradients(stage, plan);
    const prepared = performance.now();
    // Once more, now that the plan's pictures are prepared and its graphs are built.
    await computeGradients(stage, plan);
    const computed = performance.now();
    await stage.optimizer.step({ update: step + 1, rateFactor: 1, gradientFactor: 1 });
    average?.update(step + 1);
    const end = performance.now();
    const preparation = Math.max(0, prepared - start - (computed - prepared));
    return {
      seconds: (end - prepared) / 1000,
      pictureSeconds: preparation / 1000 / Math.max(1, plan.images),
      sizes: { pictures: plan.images, ...workload.sizesOf(plan) },
    };
  };

  const all: MeasuredStep[] = [];
  let [first, left, stepSeconds] = [0, 0, 0];
  for (const { steps } of workload.stretches) {
    const own: MeasuredStep[] = [];
    const started = performance.now();
    // The first step builds the graphs.
    await takeStep(first);
    for (let taken = 0; taken < MOST_STEPS; taken++) {
      if (taken >= FEWEST_STEPS && performance.now() - started > STRETCH_MS) break;
      own.push(await takeStep(first + 1 + taken));
    }
    const ownLeft = Math.max(0, first + steps - Math.max(first, done));
    stepSeconds += ownLeft * mean(own.map(({ seconds }) => seconds));
    left += ownLeft;
    first += steps;
    all.push(...own);
  }
  const perStep = Object.fromEntries(
    Object.keys(all[0]!.sizes).map((name) => [name, mean(all.map(({ sizes }) => sizes[name] ?? 0))]),
  );
  const preparationSeconds =
    left === 0 ? 0 : workload.pictures * mean(all.map(({ pictureSeconds }) => pictureSeconds));
  const elements = (list: readonly { readonly data: Float32Array }[]): number =>
    list.reduce((sum, { data }) => sum + data.length, 0);
  const parameters = elements(stage.trainables);
  const state = 2 * parameters + elements(stage.optimizer.buffers) + elements(average?.averages ?? []);
  return {
    parameters,
    steps: first,
    done,
    samples: workload.samples,
    pictures: workload.pictures,
    perStep,
    epochs: (left * perStep.pictures!) / Math.max(1, workload.pictures),
    memory: {
      state: Float32Array.BYTES_PER_ELEMENT * state,
      // Kilobytes, on every system.
      peak: 1024 * process.resourceUsage().maxRSS + workload.keptBytes,
    },
    time: {
      measuredSteps: all.length,
      secondsPerStep: left === 0 ? 0 : stepSeconds / left,
      preparationSeconds,
      totalSeconds: stepSeconds + preparationSeconds,
    },
    faulty: stage.faults?.take().map(({ message }) => message) ?? [],
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
