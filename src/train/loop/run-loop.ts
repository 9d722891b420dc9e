/**
 * @file The loop that both stages run: plans, gradients, updates, validation, samples, checkpoints
 * (docs/nextstep-spec.md 4.6, 4.7). It continues from the newest checkpoint of its folder by itself.
 *
 * A run folder holds `checkpoints/`, `samples/`, `log.jsonl` and, at the end, `model/`.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AbortedError, ConfigError } from "../../errors.ts";
import { replaceFile } from "../../files/replacement-file.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { addSums, type GradientReducer, SINGLE_RANK } from "../objective/gradient-reducer.ts";
import type { LossSums, StepPlan, StepPlanner } from "../objective/objective.ts";
import { MovingAverage } from "../optimizer/ema.ts";
import { clippingFactor, gradientNorm } from "../optimizer/gradient-clipping.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import { scheduleFactor } from "../optimizer/schedule.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";
import type { TrainProgress } from "./checkpoint-seal.ts";
import { ProgressLog } from "./progress-log.ts";
import { StepClock } from "./step-clock.ts";
import type { LoopConfig } from "./train-config.ts";
import type { TrainEvent } from "./train-events.ts";
import { CheckpointFolder, type RestoredRun } from "./train-state.ts";
import { writeFolder } from "./written-folder.ts";

/** What a stage gives the loop. */
export interface TrainStage<Plan extends StepPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  /** Settings and inputs that decide the result: a run is only continued with the same. */
  readonly identity: JsonValue;
  /** Settings that may be changed when a run is continued; a change is told and logged. */
  readonly adjustable: JsonValue;
  /** Learning rate of the optimizer's first group, before the schedule. */
  readonly learningRate: number;
  /** Samples that were left out because they cannot be used. */
  readonly faults?: FaultySamples;
  readonly planner: StepPlanner<Plan>;
  /**
   * Forward and backward of part `part` (from 0) of a plan; its gradients replace the trainables' (`isFirst`) or are
   * added to them. Depends on the plan and the weights alone.
   * @returns the part's shares of the loss and of other sums.
   */
  compute(plan: Plan, part: number, isFirst: boolean): Promise<LossSums>;
  /** Figures on held-out data of the given weights. */
  validate?(weights: readonly NamedBuffer[]): Promise<Record<string, number>>;
  /** A PNG that shows what the given weights do. */
  drawSamples?(weights: readonly NamedBuffer[]): Promise<Uint8Array>;
  /** Writes the model in the official layout. */
  writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void>;
}

export interface TrainOptions {
  /** Stops after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

export interface LoopOptions extends TrainOptions {
  readonly config: LoopConfig;
  /** Updates in all. */
  readonly steps: number;
  /** Run folder; made if need be. */
  readonly output: string;
  /** Sums gradients over the ranks that take part; by default this process is alone. */
  readonly reducer?: GradientReducer;
}

export interface TrainResult {
  readonly step: number;
  /** Path of the finished model folder. */
  readonly model: string;
}

class TrainLoop<Plan extends StepPlan> {
  readonly #stage: TrainStage<Plan>;
  readonly #options: LoopOptions;
  readonly #average: MovingAverage | undefined;
  readonly #checkpoints: CheckpointFolder;
  readonly #buffers: readonly NamedBuffer[];
  #step = 0;
  #images = 0;
  #log: ProgressLog | undefined;
  /** Updates that the newest checkpoint holds. */
  #savedStep: number | undefined;
  readonly #clock = new StepClock();

  constructor(stage: TrainStage<Plan>, options: LoopOptions) {
    this.#stage = stage;
    this.#options = options;
    const { ema } = options.config;
    this.#average = ema === null ? undefined : new MovingAverage(stage.trainables, ema);
    this.#checkpoints = new CheckpointFolder(join(options.output, "checkpoints"));
    const prefixed = (prefix: string, list: readonly NamedBuffer[]): NamedBuffer[] =>
      list.map(({ name, shape, data }) => ({ name: `${prefix}/${name}`, shape, data }));
    this.#buffers = [
      ...prefixed("weights", stage.trainables),
      ...prefixed("ema", this.#average?.averages ?? []),
      ...stage.optimizer.buffers,
    ];
  }

  async run(): Promise<TrainResult> {
    const { steps, output, config } = this.#options;
    await mkdir(this.#checkpoints.path, { recursive: true });
    const restored = await this.#checkpoints.restoreLatest(this.#buffers, this.#stage);
    if (restored !== undefined) this.#resume(restored.progress);
    this.#log = await ProgressLog.open(join(output, "log.jsonl"), this.#step);
    try {
      const parameters = this.#stage.trainables.reduce((sum, { data }) => sum + data.length, 0);
      await this.#emit({ type: "start", step: this.#step, steps, parameters }, false);
      if (restored !== undefined) await this.#tellRestored(restored);
      while (this.#step < steps) {
        if (this.#options.signal?.aborted === true) {
          await this.#save();
          throw new AbortedError("training was stopped", {
            where: output,
            remedy: "start it again to continue",
          });
        }
        await this.#update();
        if (this.#isDue(config.validateEvery)) await this.#validate();
        if (this.#isDue(config.sampleEvery)) await this.#drawSamples();
        if (this.#isDue(config.saveEvery) || this.#step === steps) await this.#save();
      }
      const model = join(output, "model");
      await writeFolder(model, (folder) => this.#stage.writeModel(folder, this.#weights));
      await this.#emit({ type: "end", step: this.#step, model });
      return { step: this.#step, model };
    } finally {
      await this.#log.close();
    }
  }

  async #tellRestored({ changes, damaged }: RestoredRun): Promise<void> {
    const messages = [
      ...damaged.map((reason) => `a damaged checkpoint was passed over and set aside: ${reason}`),
      ...changes.map((change) => `the run is continued with another setting: ${change}`),
    ];
    for (const text of messages) await this.#emit({ type: "note", step: this.#step, text });
  }

  #resume(progress: TrainProgress): void {
    this.#step = progress.step;
    this.#savedStep = progress.step;
    this.#images = progress.images;
    this.#stage.planner.restorePosition(progress.stage);
  }

  /** The parts of a plan that are this rank's, and the sums over all ranks. */
  async #computeGradients(plan: Plan): Promise<LossSums> {
    const { trainables } = this.#stage;
    const reducer = this.#options.reducer ?? SINGLE_RANK;
    const { rank, ranks } = reducer;
    let sums: LossSums = { loss: 0 };
    for (let part = rank; part < plan.parts; part += ranks) {
      sums = addSums(sums, await this.#stage.compute(plan, part, part === rank));
    }
    if (plan.parts <= rank) for (const { gradient } of trainables) gradient.fill(0);
    return reducer.reduce(trainables, sums);
  }

  /** Plan, compute, reduce, update. */
  async #update(): Promise<void> {
    const { config, steps } = this.#options;
    const started = performance.now();
    const plan = await this.#stage.planner.plan(this.#step);
    for (const fault of this.#stage.faults?.take() ?? []) {
      await this.#emit({ type: "faulty", step: this.#step + 1, ...fault });
    }
    const sums = await this.#computeGradients(plan);
    const { loss } = sums;
    const norm = gradientNorm(this.#stage.trainables);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new ConfigError(`loss ${loss} and gradient norm ${norm} in step ${this.#step + 1}`, {
        where: "training",
        remedy: "lower the learning rate or lengthen the warm-up",
      });
    }
    const clipping = config.maxGradientNorm === null ? 1 : clippingFactor(norm, config.maxGradientNorm);
    const rateFactor = scheduleFactor(config.schedule, this.#step, steps);
    await this.#stage.optimizer.step({
      update: this.#step + 1,
      rateFactor,
      gradientFactor: clipping,
    });
    this.#average?.update(this.#step + 1);
    this.#step++;
    this.#images += plan.images;
    this.#clock.add(performance.now() - started);
    const event: TrainEvent = {
      type: "step",
      step: this.#step,
      steps,
      loss,
      metrics: this.#stage.planner.metrics(plan, sums),
      rateFactor,
      rate: this.#stage.learningRate * rateFactor,
      gradientNorm: norm,
      images: this.#images,
      imagesPerSecond: (plan.images * 1000) / this.#clock.meanMs,
      etaSeconds: ((steps - this.#step) * this.#clock.meanMs) / 1000,
    };
    await this.#emit(event, this.#step % config.logEvery === 0 || this.#step === steps);
  }

  #isDue(period: number): boolean {
    return period > 0 && (this.#step % period === 0 || this.#step === this.#options.steps);
  }

  /** The weights that the model folder holds. */
  get #weights(): readonly NamedBuffer[] {
    return this.#average?.averages ?? this.#stage.trainables;
  }

  async #validate(): Promise<void> {
    if (this.#stage.validate === undefined) return;
    const metrics = await this.#stage.validate(this.#stage.trainables);
    if (this.#average !== undefined) {
      const averaged = await this.#stage.validate(this.#average.averages);
      for (const [name, value] of Object.entries(averaged)) metrics[`ema/${name}`] = value;
    }
    // A stage without held-out data has nothing to say.
    if (Object.keys(metrics).length > 0) await this.#emit({ type: "validation", step: this.#step, metrics });
  }

  async #drawSamples(): Promise<void> {
    if (this.#stage.drawSamples === undefined) return;
    const png = await this.#stage.drawSamples(this.#weights);
    const path = join(this.#options.output, "samples", `step-${String(this.#step).padStart(7, "0")}.png`);
    await replaceFile(path, (file) => file.write(png));
    await this.#emit({ type: "samples", step: this.#step, path });
  }

  async #save(): Promise<void> {
    if (this.#savedStep === this.#step) return;
    const progress: TrainProgress = {
      step: this.#step,
      images: this.#images,
      identity: this.#stage.identity,
      adjustable: this.#stage.adjustable,
      stage: this.#stage.planner.position(),
    };
    const path = await this.#checkpoints.save(progress, this.#buffers, this.#options.config.keep, (folder) =>
      this.#stage.writeModel(folder, this.#weights),
    );
    this.#savedStep = this.#step;
    await this.#emit({ type: "checkpoint", step: this.#step, path });
  }

  async #emit(event: TrainEvent, isLogged = true): Promise<void> {
    if (isLogged) await this.#log?.write(event);
    this.#options.onEvent?.(event);
  }
}

/**
 * Trains a stage to `steps` updates, from its folder's newest checkpoint on if there is one. Killed and started
 * again, it ends with the same weights, bit for bit, as a run that was not killed.
 * @throws AbortedError when the signal fires (after a checkpoint), ConfigError when the loss is no longer finite or
 * the folder holds a run with other settings.
 */
export async function runTraining<Plan extends StepPlan>(
  stage: TrainStage<Plan>,
  options: LoopOptions,
): Promise<TrainResult> {
  return new TrainLoop(stage, options).run();
}
