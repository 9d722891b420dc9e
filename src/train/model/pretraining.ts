/**
 * @file The objective of pre-training and fine-tuning: rows of text and images, cross-entropy and flow matching
 * (docs/nextstep-spec.md 4.5).
 */
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { type Grid, gridText } from "../../sequence/segments.ts";
import { CounterRng, type CounterRngState } from "../../tensor/counter-rng.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import { AttentionMasks } from "../objective/attention-mask.ts";
import { flowDraws, type PlannedFlow, planFlow } from "../objective/flow-draws.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import { addCounts, countLosses, type LossCounts } from "../objective/loss-counts.ts";
import type { GraphChoice, LossSums, Objective, StepPlan } from "../objective/objective.ts";
import {
  addRasterNoise,
  type PlannedRead,
  planReads,
  type ReadCorruption,
  readSources,
  readTokens,
} from "../objective/read-corruption.ts";
import type { BatchImage } from "../objective/token-rows.ts";
import { trainingFeeds, trainingParts } from "../objective/training-feeds.ts";
import { IMAGE_SUM, LM_SUM, trainingGraph } from "../objective/training-graph.ts";
import type { JsonValue } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import type { PlannedBatch } from "./batches.ts";
import type { PictureTokens } from "./picture-encoder.ts";
import type { PlannedImage } from "./samples.ts";
import type { TrainingData } from "./stage-data.ts";

/** A picture of an update. */
interface PlannedPicture {
  readonly image: PlannedImage;
  readonly read: PlannedRead;
  /** Where the published noise is drawn; null without it. */
  readonly rasterNoise: CounterRngState | null;
}

/** A part: some rows, and where their pictures and predicted tokens stand among those of the update. */
interface PlannedPart {
  readonly rows: PlannedBatch;
  readonly counts: LossCounts;
  readonly firstPicture: number;
  readonly firstPrediction: number;
}

export interface PretrainingPlan extends StepPlan {
  readonly batches: readonly PlannedPart[];
  readonly pictures: readonly PlannedPicture[];
  readonly flow: PlannedFlow;
  /** Of the whole update. */
  readonly counts: LossCounts;
  /** Share of padding in the ids. */
  readonly padding: number;
  /** Samples left out since the start. */
  readonly leftOut: number;
}

export interface PretrainingOptions {
  readonly seed: number;
  readonly corruption: ReadCorruption;
  /** Of the drawing order that pictures are learnt in; null: raster order. */
  readonly rowLag: number | null;
  readonly gradientCheckpointing: boolean;
  /** Default: all weights are trained. */
  readonly base?: FrozenBase;
  /**
   * Data sets whose pictures are learnt as the base predicts them, by their numbers, and how much their errors count; none
   * unless given.
   */
  readonly asBase?: ReadonlyMap<number, number>;
}

export class Pretraining implements Objective<PretrainingPlan> {
  readonly #model: NextStepConfig;
  readonly #data: Pick<TrainingData, "batches" | "load">;
  readonly #options: PretrainingOptions;
  readonly #masks = new AttentionMasks();
  /** By the grid's text. */
  readonly #orders = new Map<string, DrawingOrder>();
  /** Pictures of the update under way: its parts swap tokens with each other. */
  #loaded: { readonly plan: PretrainingPlan; readonly pictures: Map<number, PictureTokens> } | undefined;

  constructor(
    model: NextStepConfig,
    data: Pick<TrainingData, "batches" | "load">,
    options: PretrainingOptions,
  ) {
    this.#model = model;
    this.#data = data;
    this.#options = options;
  }

  async plan(step: number): Promise<PretrainingPlan> {
    const { seed, corruption } = this.#options;
    const { batches: stream } = this.#data;
    const batches = placeParts(this.#model, await stream.next());
    const counts = addCounts(batches.map((part) => part.counts));
    const images = batches.flatMap(({ rows }) => rows.images);
    const rng = randomFor(seed, "batch", step, 0);
    const width = tokenWidth(this.#model);
    const reads = planReads(
      images.map((image) => ({ tokens: tokenCount(image), predicted: image.predicted })),
      width,
      corruption,
      rng,
    );
    const isNoisy = this.#model.noiseStrength > 0;
    const noises = images.map((image) => (isNoisy ? rng.reserveNormal(tokenCount(image) * width) : null));
    const ids = batches.reduce((sum, { rows }) => sum + rows.ids.length, 0);
    const padding = batches.reduce((sum, { rows }) => sum + countOf(rows.ids, this.#model.pad), 0);
    return {
      parts: batches.length,
      images: images.length,
      batches,
      pictures: images.map((image, index) => ({
        image,
        read: reads[index]!,
        rasterNoise: noises[index]!,
      })),
      flow: planFlow(this.#model, counts.predictions, rng),
      counts,
      padding: padding / ids,
      leftOut: stream.leftOut,
    };
  }

  graph(plan: PretrainingPlan, part: number): GraphChoice {
    const { rows, counts } = plan.batches[part]!;
    const images = rows.images.map((image) => ({ order: this.#orderOf(image) }));
    const parts = trainingParts({ ...rows, images }, counts.predictions);
    const { base, gradientCheckpointing, asBase } = this.#options;
    const options = { gradientCheckpointing, asBase: asBase !== undefined };
    const build = () => trainingGraph(this.#model, parts, base, options);
    return { key: JSON.stringify(parts), build };
  }

  async feeds(plan: PretrainingPlan, part: number): Promise<Readonly<Record<string, HostTensor>>> {
    const { rows, counts, firstPicture, firstPrediction } = plan.batches[part]!;
    const numbers = rows.images.map((_image, index) => firstPicture + index);
    const pictures = await this.#load(plan, numbers);
    const width = tokenWidth(this.#model);
    const images = numbers.map((number): BatchImage => {
      const { image, read, rasterNoise } = plan.pictures[number]!;
      const { tokens, grid } = pictures.get(number)!;
      let seen = readTokens(read, number, width, (source) => pictures.get(source)!.tokens);
      if (rasterNoise !== null) {
        // Clean tokens are also the target, and kept for the next epoch.
        seen = seen.slice();
        const { noiseStrength, latentPatchSize: patch } = this.#model;
        addRasterNoise(seen, noiseStrength, { grid, patch }, CounterRng.from(rasterNoise));
      }
      return { tokens, read: seen, predicted: image.predicted, order: this.#orderOf(image) };
    });
    const draws = flowDraws(this.#model, plan.flow, firstPrediction, counts.predictions);
    const { feeds } = trainingFeeds(this.#model, { ...rows, images }, draws, plan.counts, this.#masks);
    const { asBase } = this.#options;
    if (asBase === undefined || counts.predictions === 0) return feeds;
    const predicted = rows.images.filter((image) => image.predicted);
    const ofTokens = (value: (set: number) => number): HostTensor => {
      const values = predicted.map((image) => new Float32Array(tokenCount(image)).fill(value(image.set)));
      const data = joinedFloats(values);
      return { dtype: "float32", shape: [data.length, 1, 1], data };
    };
    return {
      ...feeds,
      as_base: ofTokens((set) => (asBase.has(set) ? 1 : 0)),
      error_weights: ofTokens((set) => asBase.get(set) ?? 1),
    };
  }

  metrics({ counts, padding, leftOut }: PretrainingPlan, sums: LossSums): Record<string, number> {
    const drawn = counts.predictions * this.#model.headBatchMultiplier;
    return {
      lm_loss: (sums[LM_SUM] ?? 0) / counts.lm,
      ...(drawn === 0 ? {} : { image_loss: (sums[IMAGE_SUM] ?? 0) / drawn }),
      padding,
      ...(leftOut === 0 ? {} : { left_out: leftOut }),
    };
  }

  position(): JsonValue {
    return this.#data.batches.position();
  }

  restorePosition(position: JsonValue): void {
    this.#data.batches.restorePosition(position);
  }

  /** A picture that is not predicted is given when the model draws, too, and read as prompts are: in raster order. */
  #orderOf({
    grid,
    predicted,
  }: {
    readonly grid: Grid;
    readonly predicted: boolean;
  }): DrawingOrder | undefined {
    const { rowLag } = this.#options;
    if (rowLag === null || !predicted) return undefined;
    const order = this.#orders.get(gridText(grid)) ?? new DrawingOrder(grid, rowLag);
    this.#orders.set(gridText(grid), order);
    return order;
  }

  /** Clean tokens of pictures and of all that they read from, by their numbers in the update. */
  async #load(
    plan: PretrainingPlan,
    numbers: readonly number[],
  ): Promise<ReadonlyMap<number, PictureTokens>> {
    if (this.#loaded?.plan !== plan) this.#loaded = { plan, pictures: new Map() };
    const { pictures } = this.#loaded;
    const wanted = new Set(
      numbers.flatMap((number) => [...readSources(plan.pictures[number]!.read, number)]),
    );
    const missing = [...wanted].filter((number) => !pictures.has(number)).sort((a, b) => a - b);
    const loaded = await this.#data.load(missing.map((number) => plan.pictures[number]!.image));
    missing.forEach((number, index) => {
      pictures.set(number, loaded[index]!);
    });
    return pictures;
  }
}

function tokenCount({ grid: [height, width] }: PlannedImage): number {
  return height * width;
}

function countOf(ids: Int32Array, wanted: number | undefined): number {
  return ids.reduce((sum, id) => sum + (id === wanted ? 1 : 0), 0);
}

function placeParts(model: NextStepConfig, batches: readonly PlannedBatch[]): PlannedPart[] {
  let firstPicture = 0;
  let firstPrediction = 0;
  return batches.map((rows) => {
    const predicted = model.imageLossWeight > 0 ? rows.images.filter((image) => image.predicted) : [];
    const predictions = predicted.reduce((sum, image) => sum + tokenCount(image), 0);
    const part = { rows, counts: countLosses(model, rows, predictions), firstPicture, firstPrediction };
    firstPicture += rows.images.length;
    firstPrediction += predictions;
    return part;
  });
}
