/** @file The noise of each picture's tokens: a function of its seed, or numbers that the caller gives. */
import { InputError } from "../errors.ts";
import { fillNoise } from "../tensor/noise.ts";

/** Numbers in place of random draws. draw 0 is the starting state of a token, draw 1 + k the noise of step k. */
export interface InjectedNoise {
  /** [pictures, tokens, draws, width], row-major. */
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** Fills `target` [draws, width] with the noise of one token of a picture. */
export type TokenNoise = (token: number, target: Float32Array, width: number) => void;

/** Noise by counter: a picture has a seed of its own, and comes out the same whatever is drawn along with it. */
export function seededNoise(seed: number): TokenNoise {
  return (token, target, width) => {
    for (let draw = 0; draw * width < target.length; draw++) {
      fillNoise(target.subarray(draw * width, (draw + 1) * width), { seed, token, draw });
    }
  };
}

/**
 * Noise from an array, one source a picture.
 * @throws InputError when it is not [pictures, tokens, draws or more, width], or holds numbers that are not finite.
 */
export function injectedNoise(
  { data, shape }: InjectedNoise,
  expected: { pictures: number; tokens: number; draws: number; width: number },
): readonly TokenNoise[] {
  const [pictures = 0, tokens = 0, draws = 0, width = 0] = shape;
  const fits =
    shape.length === 4 &&
    pictures === expected.pictures &&
    tokens === expected.tokens &&
    draws >= expected.draws &&
    width === expected.width;
  if (!fits || data.length !== pictures * tokens * draws * width) {
    const { pictures: n, tokens: s, draws: d, width: k } = expected;
    throw new InputError(`[${shape.join(", ")}] does not fit this drawing`, {
      where: "noise",
      remedy: `give [${n}, ${s}, ${d}, ${k}]: pictures, tokens, draws, channels`,
    });
  }
  if (!data.every(Number.isFinite))
    throw new InputError("holds numbers that are not finite", { where: "noise" });
  return Array.from({ length: pictures }, (_, picture) => (token, target) => {
    const from = (picture * tokens + token) * draws * width;
    target.set(data.subarray(from, from + target.length));
  });
}
