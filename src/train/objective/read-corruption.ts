/**
 * @file What the backbone reads in place of the true image tokens. Reading its own clean prefix in training, a model
 * learns to continue it and hardly looks at the caption; in drawing, its own tokens then lead it astray.
 */
import type { CounterRng } from "../../tensor/counter-rng.ts";

export interface ReadCorruption {
  /** Strength of normal noise: uniform in 0 to this for each picture. */
  readonly noise: number;
  /** Probability of a token's replacement: uniform in 0 to this for each picture. */
  readonly swap: number;
}

/**
 * Corrupted copies of the pictures' tokens; the given ones stay as they are.
 * @param pictures [count * width] each. A token is swapped for the one at the same place of another picture that has
 * as many tokens; a picture that is alone in that keeps its own.
 * @param width numbers of a token.
 */
export function corruptRead(
  pictures: readonly Float32Array[],
  width: number,
  { noise, swap }: ReadCorruption,
  rng: CounterRng,
): Float32Array[] {
  const alike = new Map<number, number[]>();
  pictures.forEach(({ length }, index) => {
    alike.set(length, [...(alike.get(length) ?? []), index]);
  });
  return pictures.map((clean, index) => {
    const read = clean.slice();
    if (swap > 0) swapTokens(read, index, { pictures, width, others: alike.get(clean.length)! }, swap, rng);
    if (noise > 0) addNoise(read, noise * rng.uniform(), rng);
    return read;
  });
}

interface SwapSource {
  readonly pictures: readonly Float32Array[];
  readonly width: number;
  /** Indices of the pictures of this size, this one among them. */
  readonly others: readonly number[];
}

function swapTokens(
  read: Float32Array,
  index: number,
  { pictures, width, others }: SwapSource,
  most: number,
  rng: CounterRng,
): void {
  const probability = most * rng.uniform();
  const own = others.indexOf(index);
  for (let at = 0; at < read.length; at += width) {
    if (rng.uniform() >= probability || others.length === 1) continue;
    // Any of the others, all equally likely: counted on from this one.
    const other = others[(own + 1 + rng.below(others.length - 1)) % others.length]!;
    read.set(pictures[other]!.subarray(at, at + width), at);
  }
}

function addNoise(read: Float32Array, strength: number, rng: CounterRng): void {
  const normal = rng.fillNormal(new Float32Array(read.length));
  for (let i = 0; i < read.length; i++) read[i] = read[i]! + strength * normal[i]!;
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
