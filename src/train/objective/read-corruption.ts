/**
 * @file What the backbone reads in place of the true image tokens. Reading its own clean prefix in training, a model
 * learns to continue it and hardly looks at the caption; in drawing, its own tokens then lead it astray.
 */
import { CounterRng, type CounterRngState } from "../../tensor/counter-rng.ts";

export interface ReadCorruption {
  /** Strength of normal noise: uniform in 0 to this for each picture. */
  readonly noise: number;
  /** Probability of a token's replacement: uniform in 0 to this for each picture. */
  readonly swap: number;
}

/** How one picture of an update is read. */
export interface PlannedRead {
  /** The picture that each token is taken from, by its number in the update; null: all its own. */
  readonly sources: Int32Array | null;
  /** Noise on all tokens, and where it is drawn; null for none. */
  readonly noise: { readonly strength: number; readonly draws: CounterRngState } | null;
}

/**
 * Decides how pictures are read. A token is swapped for the one at the same place of another picture that has as many
 * tokens; a picture that is alone in that keeps its own. A picture that is not predicted, such as the source of an
 * edit, is given when the model draws, too, and read as it is.
 * @param width numbers of a token.
 */
export function planReads(
  pictures: readonly { readonly tokens: number; readonly predicted: boolean }[],
  width: number,
  { noise, swap }: ReadCorruption,
  rng: CounterRng,
): PlannedRead[] {
  const alike = new Map<number, number[]>();
  pictures.forEach(({ tokens }, index) => {
    alike.set(tokens, [...(alike.get(tokens) ?? []), index]);
  });
  return pictures.map(({ tokens: count, predicted }, index) => {
    if (!predicted) return { sources: null, noise: null };
    return {
      sources: swap > 0 ? planSwaps(count, index, alike.get(count)!, swap * rng.uniform(), rng) : null,
      noise: noise > 0 ? { strength: noise * rng.uniform(), draws: rng.reserveNormal(count * width) } : null,
    };
  });
}

/** @param alike numbers of the pictures of this size, this one among them. */
function planSwaps(
  count: number,
  index: number,
  alike: readonly number[],
  probability: number,
  rng: CounterRng,
): Int32Array {
  const sources = new Int32Array(count).fill(index);
  const own = alike.indexOf(index);
  for (let token = 0; token < count; token++) {
    if (rng.uniform() >= probability || alike.length === 1) continue;
    // Any of the others, all equally likely: counted on from this one.
    sources[token] = alike[(own + 1 + rng.below(alike.length - 1)) % alike.length]!;
  }
  return sources;
}

/**
 * A picture as it is read; clean tokens stay as they are.
 * @param index its number in the update.
 * @param tokensOf clean tokens [count * width] of a picture by its number.
 * @returns [count * width], the clean tokens themselves when nothing is changed.
 */
export function readTokens(
  { sources, noise }: PlannedRead,
  index: number,
  width: number,
  tokensOf: (picture: number) => Float32Array,
): Float32Array {
  const clean = tokensOf(index);
  if (sources === null && noise === null) return clean;
  const read = clean.slice();
  sources?.forEach((source, token) => {
    if (source === index) return;
    read.set(tokensOf(source).subarray(token * width, (token + 1) * width), token * width);
  });
  if (noise !== null) {
    const normal = CounterRng.from(noise.draws).fillNormal(new Float32Array(read.length));
    for (let i = 0; i < read.length; i++) read[i] = read[i]! + noise.strength * normal[i]!;
  }
  return read;
}

/** Pictures that a picture's tokens are taken from, itself among them. */
export function readSources({ sources }: PlannedRead, index: number): ReadonlySet<number> {
  return new Set([index, ...(sources ?? [])]);
}

/**
 * The published `noise_strength`: normal noise that grows linearly from 0 at the first to `strength` at the last latent
 * pixel in raster order.
 * @param tokens [height * width * channels * patch²], changed in place.
 */
export function addRasterNoise(
  tokens: Float32Array,
  strength: number,
  layout: { readonly grid: readonly [number, number]; readonly patch: number },
  rng: CounterRng,
): void {
  const {
    grid: [rows, columns],
    patch,
  } = layout;
  const pixels = rows * columns * patch * patch;
  const width = tokens.length / (rows * columns);
  const normal = rng.fillNormal(new Float32Array(tokens.length));
  for (let i = 0; i < tokens.length; i++) {
    const token = Math.floor(i / width);
    const place = i % (patch * patch);
    const y = Math.floor(token / columns) * patch + Math.floor(place / patch);
    const x = (token % columns) * patch + (place % patch);
    const share = pixels === 1 ? 0 : (y * columns * patch + x) / (pixels - 1);
    tokens[i] = tokens[i]! + strength * share * normal[i]!;
  }
}
