/**
 * @file The loop that draws image tokens (docs/nextstep-spec.md 3.2): prompts are read once, then for each token the
 * image head is run under its solver and the backbone reads what came out.
 */
import { AbortedError, InputError } from "../errors.ts";
import { tokenWidth } from "../model/config.ts";
import type { HostTensor } from "../runtime/engine.ts";
import { CachedRows } from "./cached-rows.ts";
import type { TokenRow } from "./token-feeds.ts";
import { branchWeights, type Guidance, guidanceAt } from "./guidance.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { noiseDraws, type SamplerName, type SolverOptions, solverTable } from "./solvers.ts";
import type { NoiseSource } from "./token-noise.ts";

export interface TokenRequest {
  /** Row b*n+i is branch b of picture i; one object for equal rows, which are then read once. */
  readonly rows: readonly TokenRow[];
  readonly branches: 1 | 2 | 3;
  /** Tokens of each picture. */
  readonly count: number;
  readonly sampler: SamplerName;
  readonly solver: SolverOptions;
  readonly guidance: Guidance;
  readonly noise: NoiseSource;
  /** Layer norm over each token before it is used, a setting of the first release. */
  readonly useNorm: boolean;
  /** Tokens drawn earlier, [pictures, known, 64]: the loop goes on behind them as if it had not stopped. */
  readonly known?: Float32Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One token of every picture. */
export interface TokenStep {
  /** Raster index, from 0. */
  readonly index: number;
  /** [pictures, 64] */
  readonly token: Float32Array;
  /** What the image head was told: hidden states of the rows, plus the generation position, [rows, D]. */
  readonly conditions: Float32Array;
}

const NORM_EPSILON = 1e-6;

/**
 * Draws the tokens of a batch of pictures of one size, one yield a token; known tokens are not yielded.
 * @throws AbortedError between tokens; InputError for known tokens that do not fit.
 */
export async function* drawTokens(sessions: ModelSessions, request: TokenRequest): AsyncGenerator<TokenStep> {
  const { config } = sessions.folder;
  const { rows, branches, count, sampler } = request;
  const pictures = rows.length / branches;
  const width = tokenWidth(config);
  const known = splitKnown(request.known, pictures, count, width);
  const positions = await generationTable(sessions, sampler, count);
  const table = solverTable(sampler, request.solver);
  const column = (pick: "t" | "a" | "b" | "c"): HostTensor =>
    float32(
      [table.length],
      Float32Array.from(table, (row) => row[pick]),
    );
  const solver = { times: column("t"), a: column("a"), b: column("b"), c: column("c") };

  const backbone = sessions.backbone();
  await using head = sessions.imageHead(table.length);
  await using cached = new CachedRows(sessions.engine, await backbone, config, new Set(rows).size);
  const read = (token: Float32Array): Promise<Float32Array> =>
    cached.append(tokenRows(token, rows.length, config.placeholder, width));

  let hidden = await readPrompts(cached, rows);
  for (const token of known) {
    refuseAborted(request.signal);
    hidden = await read(token);
  }
  const session = await head.session;
  const draws = noiseDraws(sampler, table.length);
  const noise = new Float32Array(pictures * (table.length + 1) * width);
  for (let index = known.length; index < count; index++) {
    refuseAborted(request.signal);
    const conditions = addPosition(hidden, positions, index, config.hiddenSize);
    const scales = guidanceAt(request.guidance, sampler, index, count);
    const weights = branchWeights(branches, scales).flatMap((weight) =>
      new Array<number>(pictures).fill(weight),
    );
    for (let picture = 0; picture < pictures; picture++) {
      const start = picture * (table.length + 1) * width;
      request.noise(picture, index, noise.subarray(start, start + draws * width), width);
    }
    const result = await session.run({
      ...solver,
      conditions: float32([rows.length, config.hiddenSize], conditions),
      weights: float32([branches, pictures], Float32Array.from(weights)),
      noise: float32([pictures, table.length + 1, width], noise),
    });
    const token = result.token?.data as Float32Array;
    if (request.useNorm) normalizeTokens(token, width);
    // The state behind the last token would predict nothing. The engine reads on while the caller looks at the token,
    // and is done with the caches before they are given up.
    const reading = index + 1 < count ? read(token) : Promise.resolve(hidden);
    reading.catch(() => {});
    try {
      yield { index, token, conditions };
    } finally {
      hidden = await reading;
    }
  }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortedError("cancelled", { cause: signal.reason });
}

/** Equal prompts are read once, then repeated: the rows without a condition are mostly the same. */
async function readPrompts(cached: CachedRows, rows: readonly TokenRow[]): Promise<Float32Array> {
  const unique = [...new Set(rows)];
  const read = await cached.append(unique);
  if (unique.length === rows.length) return read;
  const sources = rows.map((row) => unique.indexOf(row));
  await cached.select(sources);
  const width = read.length / unique.length;
  const hidden = new Float32Array(rows.length * width);
  sources.forEach((source, row) => {
    hidden.set(read.subarray(source * width, (source + 1) * width), row * width);
  });
  return hidden;
}

/** One image token a row: every branch of a picture reads the same. token [pictures, 64] */
function tokenRows(token: Float32Array, rows: number, placeholder: number, width: number): TokenRow[] {
  const pictures = token.length / width;
  return Array.from({ length: rows }, (_, row) => {
    const picture = row % pictures;
    const tokens = token.subarray(picture * width, (picture + 1) * width);
    return { ids: [placeholder], images: [{ start: 0, tokens }] };
  });
}

/**
 * The generation position embedding as far as it is needed, if the model has one. The inference code of the
 * velocity samplers does not know it (docs/nextstep-spec.md 3.9).
 */
async function generationTable(
  { folder }: ModelSessions,
  sampler: SamplerName,
  count: number,
): Promise<Float32Array | undefined> {
  if (sampler !== "v1" && sampler !== "v1.1") return undefined;
  const table = await folder.generationPositions();
  if (table === undefined) return undefined;
  const held = table.length / folder.config.hiddenSize;
  if (count > held) {
    throw new InputError(`${count} tokens are more than the ${held} generation positions of this model`, {
      where: "size",
      remedy: "draw a smaller picture",
    });
  }
  return table;
}

/** The table is indexed by the token, whatever the shape of the picture, as published. */
function addPosition(
  hidden: Float32Array,
  positions: Float32Array | undefined,
  token: number,
  width: number,
): Float32Array {
  if (positions === undefined) return hidden;
  const offset = token * width;
  return hidden.map((value, i) => value + (positions[offset + (i % width)] as number));
}

/** Layer norm without weights over each token, in place. */
function normalizeTokens(tokens: Float32Array, width: number): void {
  for (let start = 0; start < tokens.length; start += width) {
    const token = tokens.subarray(start, start + width);
    const mean = token.reduce((sum, value) => sum + value, 0) / width;
    const variance = token.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const scale = 1 / Math.sqrt(variance + NORM_EPSILON);
    token.forEach((value, i) => {
      token[i] = (value - mean) * scale;
    });
  }
}

/** [pictures, known, 64] as one [pictures, 64] a token. */
function splitKnown(
  known: Float32Array | undefined,
  pictures: number,
  count: number,
  width: number,
): Float32Array[] {
  if (known === undefined) return [];
  const length = known.length / (pictures * width);
  if (!Number.isInteger(length) || length > count) {
    throw new InputError(
      `${known.length} values are not up to ${count} tokens of ${width} for ${pictures} pictures`,
      {
        where: "tokens",
      },
    );
  }
  return Array.from({ length }, (_, token) => {
    const step = new Float32Array(pictures * width);
    for (let picture = 0; picture < pictures; picture++) {
      const from = (picture * length + token) * width;
      step.set(known.subarray(from, from + width), picture * width);
    }
    return step;
  });
}

function float32(shape: readonly number[], data: Float32Array): HostTensor {
  return { dtype: "float32", shape, data };
}
