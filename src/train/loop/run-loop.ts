/**
 * @file The loop that both stages run: plans, gradients, updates, validation, samples, checkpoints
 * (docs/nextstep-spec.md 4.6, 4.7). It continues from the newest checkpoint of its folder by itself.
 *
 * A run folder holds `checkpoints/`, `samples/`, what {@link RunRecord} writes and, at the end, `model/`.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AbortedError, ConfigError } from "../../errors.ts";
import { replaceFile } from "../../files/replacement-file.ts";
import type { GradientReducer } from "../objective/gradient-reducer.ts";
import type { StepPlan } from "../objective/objective.ts";
import { MovingAverage } from "../optimizer/ema.ts";
import { clippingFactor, gradientNorm } from "../optimizer/gradient-clipping.ts";
import { scheduleFactor } from "../optimizer/schedule.ts";
import type { NamedBuffer } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";
import type { BestFigure } from "./best-figure.ts";
import type { TrainProgress } from "./checkpoint-seal.ts";
import { computeGradients } from "./gradients.ts";
import { RunRecord } from "./run-record.ts";
import { StepClock } from "./step-clock.ts";
import type { LoopConfig } from "./train-config.ts";
import type { TrainEvent } from "./train-events.ts";
import type { TrainStage } from "./train-stage.ts";
import {
  type CheckpointContent,
  type CheckpointFolder,
  checkpointsOf,
  type RestoredRun,
} from "./train-state.ts";
import { writeFolder } from "./written-folder.ts";

/** Folder, within a model's, of the weights that its averages are taken of. */
const RAW_FOLDER = "raw";

export interface TrainOptions {
  /** Stops after the step under way, or within it where a stage can, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

export interface LoopOptions extends TrainOptions {
  readonly config: LoopConfig;
  /** Updates in all. */
  readonly steps: number;
  /** Run folder; made if need be. */
  readonly output: string;
  /** All settings of the run, of which a copy is kept. */
  readonly settings: JsonValue;
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
  #record: RunRecord | undefined;
  #best: BestFigure | undefined;
  /** Updates that the newest checkpoint holds. */
  #savedStep: number | undefined;
  readonly #clock = new StepClock();

  constructor(stage: TrainStage<Plan>, options: LoopOptions) {
    this.#stage = stage;
    this.#options = options;
    const { ema } = options.config;
    this.#average = ema === null ? undefined : new MovingAverage(stage.trainables, ema);
    this.#checkpoints = checkpointsOf(options.output);
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
    const damagedBest = await this.#readBest();
    await using record = await RunRecord.open(output, {
      step: this.#step,
      settings: this.#options.settings,
      tensorBoard: config.tensorBoard,
    });
    this.#record = record;
    const parameters = this.#stage.trainables.reduce((sum, { data }) => sum + data.length, 0);
    await this.#emit({ type: "start", step: this.#step, steps, parameters }, false);
    await this.#tellFaults(this.#step);
    if (restored !== undefined) await this.#tellRestored(restored);
    for (const reason of damagedBest)
      await this.#tellNote(`a damaged best checkpoint was set aside: ${reason}`);
    // What a run began with is what its figures are compared with; it is no checkpoint, and so never the best one.
    if (this.#step === 0 && config.validateEvery > 0) await this.#validate();
    while (this.#step < steps) {
      if (this.#isStopped) {
        await this.#save();
        throw new AbortedError("training was stopped", {
          where: output,
          remedy: "start it again to continue",
        });
      }
      try {
        await this.#update();
      } catch (error) {
        if (!(this.#isStopped && error instanceof AbortedError)) throw error;
        continue; // A step that was broken off is not taken.
      }
      const best = this.#isDue(config.validateEvery) ? await this.#validate() : undefined;
      if (this.#isDue(config.sampleEvery)) await this.#drawSamples();
      // Before the other save: whoever goes on from here would not validate this step again.
      if (best !== undefined) await this.#saveBest(best);
      if (this.#isDue(config.saveEvery) || this.#step === steps) await this.#save();
    }
    const model = join(output, "model");
    await writeFolder(model, (folder) => this.#fillModelFolder(folder));
    await this.#emit({ type: "end", step: this.#step, model });
    return { step: this.#step, model };
  }

  async #readBest(): Promise<readonly string[]> {
    const { judgement } = this.#stage;
    if (judgement === undefined) return [];
    const { best, damaged } = await this.#checkpoints.readBest(judgement.better);
    this.#best = best;
    return damaged;
  }

  async #tellRestored({ changes, damaged }: RestoredRun): Promise<void> {
    const messages = [
      ...damaged.map((reason) => `a damaged checkpoint was passed over and set aside: ${reason}`),
      ...changes.map((change) => `the run is continued with another setting: ${change}`),
    ];
    for (const text of messages) await this.#tellNote(text);
  }

  async #tellNote(text: string): Promise<void> {
    await this.#emit({ type: "note", step: this.#step, text });
  }

  async #tellFaults(step: number): Promise<void> {
    for (const fault of this.#stage.faults?.take() ?? [])
      await this.#emit({ type: "faulty", step, ...fault });
  }

  #resume(progress: TrainProgress): void {
    this.#step = progress.step;
    this.#savedStep = progress.step;
    this.#images = progress.images;
    this.#stage.planner.restorePosition(progress.stage);
  }

  /** Plan, compute, reduce, update. */
  async #update(): Promise<void> {
    const { config, steps } = this.#options;
    const started = performance.now();
    const plan = await this.#stage.planner.plan(this.#step);
    await this.#tellFaults(this.#step + 1);
    const sums = await computeGradients(this.#stage, plan, this.#options.reducer);
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

  get #isStopped(): boolean {
    return this.#options.signal?.aborted === true;
  }

  #isDue(period: number): boolean {
    return period > 0 && (this.#step % period === 0 || this.#step === this.#options.steps);
  }

  /** The weights that the model folder holds. */
  get #weights(): readonly NamedBuffer[] {
    return this.#average?.averages ?? this.#stage.trainables;
  }

  /** @returns the figure by which this step is the best so far, if it is. */
  async #validate(): Promise<BestFigure | undefined> {
    const { judgement } = this.#stage;
    if (this.#stage.validate === undefined) return undefined;
    const metrics = await this.#stage.validate(this.#stage.trainables);
    if (this.#average !== undefined) {
      const averaged = await this.#stage.validate(this.#average.averages);
      for (const [name, value] of Object.entries(averaged)) metrics[`ema/${name}`] = value;
    }
    // A stage without held-out data has nothing to say.
    if (Object.keys(metrics).length > 0) await this.#emit({ type: "validation", step: this.#step, metrics });
    if (judgement === undefined) return undefined;
    // Of the weights that the model folder holds.
    const metric = this.#average === undefined ? judgement.metric : `ema/${judgement.metric}`;
    const value = metrics[metric];
    if (value === undefined || !Number.isFinite(value)) return undefined;
    const before = this.#best?.value;
    const isBetter = before === undefined || (judgement.better === "lower" ? value < before : value > before);
    return isBetter ? { step: this.#step, metric, value } : undefined;
  }

  async #drawSamples(): Promise<void> {
    if (this.#stage.drawSamples === undefined) return;
    const png = await this.#stage.drawSamples(this.#weights);
    const path = join(this.#options.output, "samples", `step-${String(this.#step).padStart(7, "0")}.png`);
    await replaceFile(path, (file) => file.write(png));
    await this.#emit({ type: "samples", step: this.#step, path });
  }

  get #content(): CheckpointContent {
    const progress: TrainProgress = {
      step: this.#step,
      images: this.#images,
      identity: this.#stage.identity,
      adjustable: this.#stage.adjustable,
      stage: this.#stage.planner.position(),
    };
    return { progress, buffers: this.#buffers, writeModel: (folder) => this.#fillModelFolder(folder) };
  }

  async #save(): Promise<void> {
    if (this.#savedStep === this.#step) return;
    const path = await this.#checkpoints.save(this.#content, this.#options.config.keep);
    this.#savedStep = this.#step;
    await this.#emit({ type: "checkpoint", step: this.#step, path });
    await this.#record?.drawCurves();
  }

  async #saveBest(figure: BestFigure): Promise<void> {
    const path = await this.#checkpoints.saveBest(this.#content, figure);
    this.#best = figure;
    const { metric, value } = figure;
    await this.#emit({ type: "best", step: this.#step, metric, value, path });
  }

  /** The model; where its weights are a moving average, those that it is taken of stand in `raw/`, a model too. */
  async #fillModelFolder(folder: string): Promise<void> {
    await this.#stage.writeModel(folder, this.#weights);
    if (this.#average === undefined) return;
    const raw = join(folder, RAW_FOLDER);
    await mkdir(raw);
    await this.#stage.writeModel(raw, this.#stage.trainables);
  }

  async #emit(event: TrainEvent, isLogged = true): Promise<void> {
    if (isLogged) await this.#record?.write(event);
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
