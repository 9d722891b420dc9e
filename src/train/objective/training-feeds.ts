/** @file A batch of rows and its random draws as the inputs of the training graph. */

import { InputError } from "../../errors.ts";
import { rotaryTables } from "../../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { IGNORED_LABEL } from "../../sequence/segments.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import { AttentionMasks } from "./attention-mask.ts";
import { countLosses, type LossCounts, lossFactors } from "./loss-counts.ts";
import { hasOrders, type StaggeredLayout, staggeredLayout } from "./staggered-rows.ts";
import type { TokenRows } from "./token-rows.ts";
import type { TrainingParts } from "./training-graph.ts";

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
  batch: { readonly images: readonly { readonly order?: unknown }[]; readonly samples?: Int32Array },
  predictions: number,
): TrainingParts {
  const { images, samples } = batch;
  return {
    images: images.length > 0,
    imageLoss: predictions > 0,
    maskPerRow: samples !== undefined || hasOrders(batch),
  };
}

function indices(values: Int32Array, shape: readonly number[]): HostTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

function floats(data: Float32Array, shape: readonly number[]): HostTensor {
  return { dtype: "float32", shape, data };
}

/** Rows as they are laid out: their ids, and behind them the stand-ins of drawing orders. */
type LaidRows = TokenRows & Omit<StaggeredLayout, "sights">;

/**
 * Where each position's embedding comes from: text ids in order, then image tokens in order, then stand-ins. Positions
 * behind the ids that have no stand-in have the padding id.
 */
function placeEmbeddings(
  config: NextStepConfig,
  { rows, tokens, columns, ids, images, standIns }: LaidRows,
): Record<string, Int32Array> {
  const width = tokenWidth(config);
  const placeholders = ids.reduce((sum, id) => sum + (id === config.placeholder ? 1 : 0), 0);
  const read = images.reduce((sum, image) => sum + image.tokens.length / width, 0);
  if (placeholders !== read) {
    throw new InputError(`${placeholders} image positions for ${read} image tokens`, { where: "batch" });
  }
  const texts = rows * columns - placeholders - standIns.length;
  const textIds = new Int32Array(texts);
  const source = new Int32Array(rows * columns);
  const places = new Int32Array(rows * columns);
  const standInAt = new Map(standIns.map(({ row, column }, index) => [row * columns + column, index]));
  let text = 0;
  let image = texts;
  source.forEach((_, at) => {
    const column = at % columns;
    const id = column < tokens ? ids[at - Math.floor(at / columns) * (columns - tokens)] : undefined;
    const standIn = standInAt.get(at);
    let from = text;
    if (id === config.placeholder) from = image++;
    else if (standIn !== undefined) from = texts + placeholders + standIn;
    else textIds[text++] = id ?? config.pad ?? 0;
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
 * of a row predicts nothing. A token that has a stand-in in front of it is predicted from that.
 */
function listPredictions(config: NextStepConfig, batch: LaidRows): Predictions {
  const { rows, tokens, columns, ids, labels, images, standIns } = batch;
  const width = tokenWidth(config);
  const standInFor = new Map(
    standIns.map(({ row, column, predicts }) => [row * columns + predicts, row * columns + column]),
  );
  const imagePositions: number[] = [];
  const lmPositions: number[] = [];
  const lmLabels: number[] = [];
  let image = 0;
  let token = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < tokens; column++) {
      const at = row * columns + column;
      const id = row * tokens + column;
      if (ids[id] !== config.placeholder) {
        const label = labels[id] as number;
        if (column === 0 || label === IGNORED_LABEL) continue;
        lmPositions.push(at - 1);
        lmLabels.push(label);
        continue;
      }
      const { tokens: clean, predicted } = images[image]!;
      if (column === 0) {
        throw new InputError("a row begins with an image token, which nothing predicts", { where: "batch" });
      }
      if (predicted) imagePositions.push(standInFor.get(at) ?? at - 1);
      if (++token === clean.length / width) {
        image++;
        token = 0;
      }
    }
  }
  return { imagePositions, lmPositions, labels: lmLabels };
}

/** Rotary positions: columns, but for stand-ins. [rows * columns] */
function rotaryPositions({ rows, columns, standIns }: LaidRows): Int32Array {
  const positions = Int32Array.from({ length: rows * columns }, (_, at) => at % columns);
  for (const { row, column, position } of standIns) positions[row * columns + column] = position;
  return positions;
}

function maskOf(
  { rows, tokens, samples }: TokenRows,
  layout: StaggeredLayout | undefined,
  masks: AttentionMasks,
): HostTensor {
  if (layout === undefined) {
    return samples === undefined ? masks.causal(tokens) : masks.isolated(samples, rows, tokens);
  }
  const { columns, sights } = layout;
  // Whichever sample the columns behind the ids belong to: nothing looks there, and stand-ins have a sight of their own.
  const wide = Int32Array.from(
    { length: rows * columns },
    (_, at) => samples?.[Math.floor(at / columns) * tokens + Math.min(at % columns, tokens - 1)] ?? 0,
  );
  return masks.staggered(wide, sights, rows, columns);
}

/** What of a batch the graph of its sequence is fed, whatever is computed from its states. */
export interface SequenceFeeds {
  /** Inputs of predictingStates, image tokens in front of text. */
  readonly feeds: Readonly<Record<string, HostTensor>>;
  /** Ids that the text positions predict. */
  readonly labels: readonly number[];
}

/**
 * The inputs of the sequence's graph for a batch. Positions run on along a row. A row is as long as its ids and the
 * stand-ins of its drawing orders.
 * @param masks where a mask of an earlier batch may be found; the feeds of that batch are no longer good.
 * @throws InputError when images and placeholders do not agree.
 */
export function sequenceFeeds(
  config: NextStepConfig,
  batch: TokenRows,
  masks = new AttentionMasks(),
): SequenceFeeds {
  const { rows, tokens, images } = batch;
  const layout = staggeredLayout(config, batch);
  const laid = { ...batch, ...(layout ?? { columns: tokens, standIns: [] }) };
  const { columns } = laid;
  const { textIds, source, places } = placeEmbeddings(config, laid) as Record<
    "textIds" | "source" | "places",
    Int32Array
  >;
  const { imagePositions, lmPositions, labels } = listPredictions(config, laid);
  const predicting = Int32Array.from(
    predictionCount(config, batch) > 0 ? [...imagePositions, ...lmPositions] : lmPositions,
  );
  const predictingPlaces = new Int32Array(rows * columns).fill(predicting.length);
  predicting.forEach((position, place) => {
    predictingPlaces[position] = place;
  });
  // The engine takes no table that is shorter than the rows.
  const { cosines, sines } = rotaryTables(config, columns);
  const table = [columns, config.headDim / 2];
  const feeds: Record<string, HostTensor> = {
    text_ids: indices(textIds, [textIds.length]),
    source: indices(source, [rows, columns]),
    source_places: indices(places, [rows * columns]),
    positions: indices(rotaryPositions(laid), [rows, columns]),
    cosines: floats(cosines, table),
    sines: floats(sines, table),
    mask: maskOf(batch, layout, masks),
    predicting: indices(predicting, [predicting.length]),
    predicting_places: indices(predictingPlaces, [rows * columns]),
  };
  if (images.length > 0) {
    const read = [...images.map((image) => image.read), ...laid.standIns.map(({ token }) => token)];
    feeds.read_tokens = floats(joinedFloats(read), [rows * columns - textIds.length, tokenWidth(config)]);
  }
  return { feeds, labels };
}

/**
 * The graph's inputs for a batch, and which graph it needs.
 * @param counts what the losses are means over: the batch, unless it is a part of an update.
 * @param masks as {@link sequenceFeeds} takes them.
 * @throws InputError when images, placeholders and draws do not agree, or nothing is left to predict.
 */
export function trainingFeeds(
  config: NextStepConfig,
  batch: TokenRows,
  draws: FlowDraws,
  counts: LossCounts = countLosses(config, batch, predictionCount(config, batch)),
  masks = new AttentionMasks(),
): TrainingFeeds {
  const { images } = batch;
  const { headBatchMultiplier: repeats } = config;
  const width = tokenWidth(config);
  const { feeds: sequence, labels } = sequenceFeeds(config, batch, masks);
  const predictions = predictionCount(config, batch);
  if (draws.times.length !== predictions * repeats || draws.noise.length !== predictions * repeats * width) {
    throw new InputError(`draws for ${draws.times.length / repeats} of ${predictions} image tokens`, {
      where: "batch",
    });
  }
  if (labels.length === 0) throw new InputError("no text to predict", { where: "batch" });
  const parts = trainingParts(batch, predictions);
  const factors = lossFactors(config, counts);
  const feeds: Record<string, HostTensor> = {
    ...sequence,
    labels: indices(Int32Array.from(labels), [labels.length]),
    lm_factor: floats(Float32Array.of(factors.lm), []),
  };
  if (parts.imageLoss) {
    const clean = images.filter(({ predicted }) => predicted).map((image) => image.tokens);
    feeds.targets = floats(joinedFloats(clean), [predictions, width]);
    feeds.times = floats(draws.times, [predictions, repeats]);
    feeds.noise = floats(draws.noise, [predictions, repeats, width]);
    feeds.image_factor = floats(Float32Array.of(factors.image), []);
  }
  return { parts, feeds, lmCount: labels.length, imageCount: predictions * repeats };
}
