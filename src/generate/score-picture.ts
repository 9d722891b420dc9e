/**
 * @file The model's own score of a picture under a prompt: the flow-matching loss of its tokens, read behind the prompt as
 * training reads them (docs/nextstep-spec.md 4.5), at fixed times and with fixed noise, so that scores compare.
 */
import { EngineError, InputError, refuseAborted } from "../errors.ts";
import { tokenWidth } from "../model/config.ts";
import type { Feeds } from "../runtime/engine.ts";
import type { Grid } from "../sequence/segments.ts";
import { fillNoise } from "../tensor/noise.ts";
import { untilAborted } from "./abort.ts";
import { ADAPTER_OF_ERROR } from "./head-graphs.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { describe } from "./settings.ts";
import type { TokenRow } from "./token-feeds.ts";

export const DEFAULT_SCORE_TIMES = 16;
export const DEFAULT_SCORE_SEED = 0;
/** More say nothing new. */
export const MAX_SCORE_TIMES = 1024;

/** Rows of the image head in one run: a few MB of activations in the published shape. */
const HEAD_ROWS = 1024;

/** How well a model expects a picture. Losses are mean squared errors of velocities: 0 and more, lower is likelier. */
export interface PictureScore {
  /** Mean of {@link tokenLosses}. */
  readonly loss: number;
  /** The same without a prompt. */
  readonly unconditional: number;
  /** What the prompt explains, unconditional - loss: it ranks across pictures, of which some are easier than others. */
  readonly gain: number;
  /** Rows and columns in tokens. */
  readonly grid: Grid;
  /** Each token's, in raster order. [rows * columns] */
  readonly tokenLosses: Float32Array;
  readonly tokenUnconditional: Float32Array;
}

export interface ScoredTokens {
  /** Prompts up to the begin of the picture: the one asked about, and one of no words. */
  readonly condition: TokenRow;
  readonly none: TokenRow;
  /** [rows * columns, 64] */
  readonly tokens: Float32Array;
  readonly grid: Grid;
  /** Added to the states that predict cells, by cell. [cells or more, D] */
  readonly positions: Float32Array | undefined;
  /** Id that stands for an image token. */
  readonly placeholder: number;
}

export interface ScoreSettings {
  /** Times at which each token is asked for, 1 to {@link MAX_SCORE_TIMES}. Default {@link DEFAULT_SCORE_TIMES}. */
  readonly times?: number;
  /** Of the noise. Scores of other seeds do not compare. Default {@link DEFAULT_SCORE_SEED}. */
  readonly seed?: number;
}

/** @throws InputError */
export function checkScoreTimes(times: unknown): void {
  if (Number.isInteger(times) && Number(times) >= 1 && Number(times) <= MAX_SCORE_TIMES) return;
  throw new InputError(`${describe(times)} is not a number of times`, {
    where: "times",
    remedy: `use a whole number from 1 to ${MAX_SCORE_TIMES}`,
  });
}

/**
 * Times that stand for all that training draws: the middles of as many equal parts of its distribution, sigmoid(u) with u
 * normal. Ascending, in (0, 1).
 */
export function scoreTimes(count: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, k) => 1 / (1 + Math.exp(-normalQuantile((k + 0.5) / count))),
  );
}

/** The normal number below which a share p in (0, 1) lies; off by 4.5e-4 at most (Abramowitz and Stegun 26.2.23). */
function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  const above =
    t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return p === 0.5 ? 0 : p < 0.5 ? -above : above;
}

/**
 * Reads the tokens behind both prompts and asks the image head for each.
 * @throws AbortedError between runs; EngineError for numbers that are not finite
 */
export async function scoreTokens(
  sessions: ModelSessions,
  scored: ScoredTokens,
  { times = DEFAULT_SCORE_TIMES, seed = DEFAULT_SCORE_SEED }: ScoreSettings,
  signal: AbortSignal,
): Promise<PictureScore> {
  const cells = scored.grid[0] * scored.grid[1];
  const hidden = await predictingStates(sessions, scored, cells, signal);
  const half = hidden.length / 2;
  const draws = { times: scoreTimes(times), seed };
  const tokenLosses = await tokenErrors(sessions, hidden.subarray(0, half), scored, draws, signal);
  const tokenUnconditional = await tokenErrors(sessions, hidden.subarray(half), scored, draws, signal);
  const [loss, unconditional] = [mean(tokenLosses), mean(tokenUnconditional)];
  if (!Number.isFinite(loss + unconditional)) {
    throw new EngineError("gives numbers that are not finite", {
      where: "the picture's score",
      remedy: "the model's weights are damaged",
    });
  }
  return {
    loss,
    unconditional,
    gain: unconditional - loss,
    grid: scored.grid,
    tokenLosses,
    tokenUnconditional,
  };
}

/** The states that predict each cell, behind the prompt and behind none. [2, cells, D] */
async function predictingStates(
  sessions: ModelSessions,
  { condition, none, tokens, positions, placeholder }: ScoredTokens,
  cells: number,
  signal: AbortSignal,
): Promise<Float32Array> {
  const { config } = sessions.folder;
  // The last token predicts nothing of the picture.
  const read = tokens.subarray(0, (cells - 1) * tokenWidth(config));
  const rows = [condition, none].map((prompt): TokenRow => {
    const start = prompt.ids.length;
    const ids = [...prompt.ids, ...new Array<number>(cells - 1).fill(placeholder)];
    return {
      ...prompt,
      ids,
      images: [...(prompt.images ?? []), { start, tokens: read }],
      layout: {
        places: ids.map((_, place) => place),
        sees: () => true,
        picks: Array.from({ length: cells }, (_, cell) => start - 1 + cell),
        passing: 0,
      },
    };
  });
  await using cached = await sessions.cachedRows(rows.length, signal);
  const hidden = await untilAborted(cached.append(rows, { signal }), signal);
  if (positions === undefined) return hidden;
  const own = cells * config.hiddenSize;
  return hidden.map((value, at) => value + (positions[at % own] as number));
}

/** Mean over the times of each cell's errors. hidden [cells, D] -> [cells] */
async function tokenErrors(
  sessions: ModelSessions,
  hidden: Float32Array,
  { tokens, condition }: ScoredTokens,
  { times, seed }: { readonly times: Float32Array; readonly seed: number },
  signal: AbortSignal,
): Promise<Float32Array> {
  const { config } = sessions.folder;
  const session = await sessions.flowErrors(signal);
  const width = tokenWidth(config);
  const repeats = times.length;
  const cells = hidden.length / config.hiddenSize;
  const chunk = Math.max(1, Math.floor(HEAD_ROWS / repeats));
  const means = new Float32Array(cells);
  for (let start = 0; start < cells; start += chunk) {
    refuseAborted(signal);
    const count = Math.min(chunk, cells - start);
    const noise = new Float32Array(count * repeats * width);
    const cellTimes = new Float32Array(count * repeats);
    for (let cell = 0; cell < count; cell++) {
      cellTimes.set(times, cell * repeats);
      for (let draw = 0; draw < repeats; draw++) {
        const at = (cell * repeats + draw) * width;
        fillNoise(noise.subarray(at, at + width), { seed, token: start + cell, draw });
      }
    }
    const part = (values: Float32Array, size: number): Float32Array =>
      values.subarray(start * size, (start + count) * size);
    const feeds: Feeds = {
      hidden: { dtype: "float32", shape: [count, config.hiddenSize], data: part(hidden, config.hiddenSize) },
      clean: { dtype: "float32", shape: [count, width], data: part(tokens, width) },
      times: { dtype: "float32", shape: [count, repeats], data: cellTimes },
      noise: { dtype: "float32", shape: [count, repeats, width], data: noise },
    };
    const mixes = new Array(count * repeats).fill(condition.adapters);
    const running =
      sessions.headAdapters?.use(mixes, (tables, places) =>
        session.run({ ...feeds, ...tables, [ADAPTER_OF_ERROR]: places }),
      ) ?? session.run(feeds);
    const errors = (await untilAborted(running, signal)).errors?.data as Float32Array;
    for (let cell = 0; cell < count; cell++) {
      means[start + cell] = mean(errors.subarray(cell * repeats, (cell + 1) * repeats));
    }
  }
  return means;
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
