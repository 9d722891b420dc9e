/** @file A batch of rows and its random draws as the inputs of the training graph. */

import { InputError } from "../../errors.ts";
import { rotaryTables } from "../../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { IGNORED_LABEL } from "../../sequence/segments.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import { AttentionMasks } from "./attention-mask.ts";
import { countLosses, type LossCounts, lossFactors } from "./loss-counts.ts";
import type { TrainingParts } from "./training-graph.ts";

/** One image of a batch as tokens in raster order. */
export interface BatchImage {
  /** Clean tokens [count * 64]: what is to be predicted. */
  readonly tokens: Float32Array;
  /** The tokens as the backbone reads them, same size; the clean ones unless they are corrupted on purpose. */
  readonly read: Float32Array;
  /** Whether the image loss counts it. */
  readonly predicted: boolean;
}

/** Rows of one length. Positions that only fill a row up have the padding id and ignored labels. */
export interface TokenRows {
  readonly rows: number;
  readonly tokens: number;
  /** [rows * tokens] */
  readonly ids: Int32Array;
  /** [rows * tokens], -100 where the language loss looks away. */
  readonly labels: Int32Array;
  /** In the order of their placeholders: row by row, then along the row. */
  readonly images: readonly BatchImage[];
  /** [rows * tokens], which sample of its row a position belongs to; given when samples do not see each other. */
  readonly samples?: Int32Array;
}

/** Random draws of the flow-matching loss, image tokens in the order of the batch's predicted images. */
export interface FlowDraws {
  /** [predictions * repeats], in (0, 1). */
  readonly times: Float32Array;
  /** [predictions * repeats * 64], normal. */
  readonly noise: Float32Array;
}

export interface TrainingFeeds {
  readonly parts: TrainingParts;
  readonly feeds: Readonly<Record<string, HostTensor>>;
  /** Divisors that turn the graph's sums over this batch into the published means. */
  readonly lmCount: number;
  readonly imageCount: number;
}

/** Number of image tokens that the flow-matching loss predicts. */
export function predictionCount(config: NextStepConfig, batch: TokenRows): number {
  if (config.imageLossWeight <= 0) return 0;
  const width = tokenWidth(config);
  return batch.images.reduce((sum, image) => sum + (image.predicted ? image.tokens.length / width : 0), 0);
}

/** The graph that rows need. */
export function trainingParts(
  { images, samples }: { readonly images: readonly unknown[]; readonly samples?: Int32Array },
  predictions: number,
): TrainingParts {
  return { images: images.length > 0, imageLoss: predictions > 0, maskPerRow: samples !== undefined };
}

function indices(values: Int32Array, shape: readonly number[]): HostTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

function floats(data: Float32Array, shape: readonly number[]): HostTensor {
  return { dtype: "float32", shape, data };
}

/** Where each position's embedding comes from: text ids in order, then image tokens in order. */
function placeEmbeddings(config: NextStepConfig, { ids, images }: TokenRows): Record<string, Int32Array> {
  const width = tokenWidth(config);
  const placeholders = ids.reduce((sum, id) => sum + (id === config.placeholder ? 1 : 0), 0);
  const tokens = images.reduce((sum, image) => sum + image.tokens.length / width, 0);
  if (placeholders !== tokens) {
    throw new InputError(`${placeholders} image positions for ${tokens} image tokens`, { where: "batch" });
  }
  const texts = ids.length - placeholders;
  const textIds = new Int32Array(texts);
  const source = new Int32Array(ids.length);
  const places = new Int32Array(ids.length);
  let text = 0;
  let image = texts;
  ids.forEach((id, at) => {
    const from = id === config.placeholder ? image++ : text;
    if (from === text) textIds[text++] = id;
    source[at] = from;
    places[from] = at;
  });
  return { textIds, source, places };
}

interface Predictions {
  readonly imagePositions: readonly number[];
  readonly lmPositions: readonly number[];
  readonly labels: readonly number[];
}

/**
 * Position j is an image position iff the id after it is a placeholder, else a language position; the last position
 * of a row predicts nothing.
 */
function listPredictions(config: NextStepConfig, batch: TokenRows): Predictions {
  const { rows, tokens, ids, labels, images } = batch;
  const width = tokenWidth(config);
  const imagePositions: number[] = [];
  const lmPositions: number[] = [];
  const lmLabels: number[] = [];
  let image = 0;
  let token = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < tokens; column++) {
      const at = row * tokens + column;
      if (ids[at] !== config.placeholder) {
        const label = labels[at] as number;
        if (column === 0 || label === IGNORED_LABEL) continue;
        lmPositions.push(at - 1);
        lmLabels.push(label);
        continue;
      }
      const { tokens: clean, predicted } = images[image]!;
      if (column === 0) {
        throw new InputError("a row begins with an image token, which nothing predicts", { where: "batch" });
      }
      if (predicted) imagePositions.push(at - 1);
      if (++token === clean.length / width) {
        image++;
        token = 0;
      }
    }
  }
  return { imagePositions, lmPositions, labels: lmLabels };
}

/**
 * The graph's inputs for a batch, and which graph it needs. Positions run on along a row.
 * @param counts what the losses are means over: the batch, unless it is a part of an update.
 * @param masks where a mask of an earlier batch may be found; the feeds of that batch are no longer good.
 * @throws InputError when images, placeholders and draws do not agree, or nothing is left to predict.
 */
export function trainingFeeds(
  config: NextStepConfig,
  batch: TokenRows,
  draws: FlowDraws,
  counts: LossCounts = countLosses(config, batch, predictionCount(config, batch)),
  masks = new AttentionMasks(),
): TrainingFeeds {
  const { rows, tokens, images } = batch;
  const { headBatchMultiplier: repeats } = config;
  const width = tokenWidth(config);
  const { textIds, source, places } = placeEmbeddings(config, batch) as Record<
    "textIds" | "source" | "places",
    Int32Array
  >;
  const { imagePositions, lmPositions, labels } = listPredictions(config, batch);
  const predictions = predictionCount(config, batch);
  if (draws.times.length !== predictions * repeats || draws.noise.length !== predictions * repeats * width) {
    throw new InputError(`draws for ${draws.times.length / repeats} of ${predictions} image tokens`, {
      where: "batch",
    });
  }
  if (lmPositions.length === 0) throw new InputError("no text to predict", { where: "batch" });
  const parts = trainingParts(batch, predictions);
  const predicting = Int32Array.from(predictions > 0 ? [...imagePositions, ...lmPositions] : lmPositions);
  const predictingPlaces = new Int32Array(rows * tokens).fill(predicting.length);
  predicting.forEach((position, place) => {
    predictingPlaces[position] = place;
  });
  const { cosines, sines } = rotaryTables(config, tokens);
  const table = [tokens, config.headDim / 2];
  const columns = Int32Array.from({ length: rows * tokens }, (_, at) => at % tokens);
  const factors = lossFactors(config, counts);
  const lmCount = lmPositions.length;
  const imageCount = predictions * repeats;
  const feeds: Record<string, HostTensor> = {
    text_ids: indices(textIds, [textIds.length]),
    source: indices(source, [rows, tokens]),
    source_places: indices(places, [rows * tokens]),
    positions: indices(columns, [rows, tokens]),
    cosines: floats(cosines, table),
    sines: floats(sines, table),
    mask: batch.samples === undefined ? masks.causal(tokens) : masks.isolated(batch.samples, rows, tokens),
    predicting: indices(predicting, [predicting.length]),
    predicting_places: indices(predictingPlaces, [rows * tokens]),
    labels: indices(Int32Array.from(labels), [lmCount]),
    lm_factor: floats(Float32Array.of(factors.lm), []),
  };
  if (parts.images) {
    feeds.read_tokens = floats(joinedFloats(images.map(({ read }) => read)), [
      rows * tokens - textIds.length,
      width,
    ]);
  }
  if (parts.imageLoss) {
    const clean = images.filter(({ predicted }) => predicted).map((image) => image.tokens);
    feeds.targets = floats(joinedFloats(clean), [predictions, width]);
    feeds.times = floats(draws.times, [predictions, repeats]);
    feeds.noise = floats(draws.noise, [predictions, repeats, width]);
    feeds.image_factor = floats(Float32Array.of(factors.image), []);
  }
  return { parts, feeds, lmCount, imageCount };
}
