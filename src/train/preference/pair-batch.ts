/** @file Some pairs as inputs of the preference graph: a row a picture, both of a pair under the same times and noise. */
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import { type Grid, IGNORED_LABEL } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { joinedFloats } from "../../tensor/joined.ts";
import { padRows } from "../model/batches.ts";
import { imageTextSample } from "../model/training-sample.ts";
import type { AttentionMasks } from "../objective/attention-mask.ts";
import { type FlowDraws, sequenceFeeds } from "../objective/training-feeds.ts";

/** A pair with its tokens, each [cells * 64] in raster order. */
export interface TokenPair {
  readonly prompt: string;
  readonly grid: Grid;
  readonly winner: Float32Array;
  readonly loser: Float32Array;
}

export interface PairBatchParts {
  readonly model: NextStepConfig;
  readonly tokenizer: TextTokenizer;
  /** Of the drawing order; null: raster order. */
  readonly rowLag: number | null;
  readonly masks?: AttentionMasks;
}

export function cellsOf([height, width]: Grid): number {
  return height * width;
}

/**
 * Inputs for {@link pairErrors}.
 * @param draws of one picture a pair, in the order of the pairs.
 */
export function pairFeeds(
  { model, tokenizer, rowLag, masks }: PairBatchParts,
  pairs: readonly TokenPair[],
  draws: FlowDraws,
): Record<string, HostTensor> {
  const samples = pairs.map(({ prompt, grid }) =>
    imageTextSample(tokenizer, prompt, grid, { dropText: false }),
  );
  const rows = padRows(
    samples.flatMap((sample) => [sample, sample].map((own) => ({ sample: own, images: [] }))),
    tokenizer.specials.pad,
  );
  const images = pairs.flatMap(({ grid, winner, loser }) =>
    [winner, loser].map((tokens) => ({
      ...{ tokens, read: tokens, predicted: true },
      order: rowLag === null ? undefined : new DrawingOrder(grid, rowLag),
    })),
  );
  const counts = pairs.map(({ grid }) => cellsOf(grid) * model.headBatchMultiplier);
  const width = tokenWidth(model);
  // Nothing is learnt about the text.
  const labels = new Int32Array(rows.ids.length).fill(IGNORED_LABEL);
  const { feeds } = sequenceFeeds(model, { ...rows, labels, images }, masks);
  const tokens = images.reduce((sum, own) => sum + own.tokens.length, 0) / width;
  const repeats = model.headBatchMultiplier;
  return {
    ...feeds,
    targets: floats([tokens, width], joinedFloats(images.map((own) => own.tokens))),
    times: floats([tokens, repeats], eachTwice(draws.times, counts)),
    noise: floats(
      [tokens, repeats, width],
      eachTwice(
        draws.noise,
        counts.map((count) => count * width),
      ),
    ),
    picture_means: pictureMeans(counts),
  };
}

function floats(shape: readonly number[], data: Float32Array): HostTensor {
  return { dtype: "float32", shape, data };
}

/** Pieces of the given lengths, each followed by itself. */
function eachTwice(values: Float32Array, lengths: readonly number[]): Float32Array {
  let at = 0;
  return joinedFloats(
    lengths.flatMap((length) => {
      const piece = values.subarray(at, at + length);
      at += length;
      return [piece, piece];
    }),
  );
}

/** @param counts errors of each picture of a pair. */
function pictureMeans(counts: readonly number[]): HostTensor {
  const all = 2 * counts.reduce((sum, count) => sum + count, 0);
  const data = new Float32Array(2 * counts.length * all);
  let at = 0;
  for (const [pair, count] of counts.entries()) {
    for (const row of [2 * pair, 2 * pair + 1]) {
      data.fill(1 / count, row * all + at, row * all + at + count);
      at += count;
    }
  }
  return floats([2 * counts.length, all], data);
}
