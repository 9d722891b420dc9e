/** @file Latents to tokens and back (docs/nextstep-spec.md 2.3, 2.4). */

import { ShapeError } from "../errors.ts";

/** Sizes of a batch of latents [images, channels, height * patch, width * patch]. */
export interface PatchLayout {
  readonly images: number;
  readonly channels: number;
  /** Rows and columns in tokens. */
  readonly grid: readonly [height: number, width: number];
  /** Side of a token in latent pixels. */
  readonly patch: number;
}

/**
 * Tokens of latents: token i * w + j holds channel c, row i * p + a, column j * p + b at place c * p² + a * p + b.
 * @param latents [images, channels, h * p, w * p]
 * @returns [images, h * w, channels * p²]
 */
export function patchify(latents: Float32Array, layout: PatchLayout): Float32Array {
  const tokens = new Float32Array(checkedSize(latents, layout));
  visit(layout, (latent, token) => {
    tokens[token] = latents[latent] as number;
  });
  return tokens;
}

/**
 * Inverse of {@link patchify}.
 * @param tokens [images, h * w, channels * p²]
 * @returns [images, channels, h * p, w * p]
 */
export function unpatchify(tokens: Float32Array, layout: PatchLayout): Float32Array {
  const latents = new Float32Array(checkedSize(tokens, layout));
  visit(layout, (latent, token) => {
    latents[latent] = tokens[token] as number;
  });
  return latents;
}

/** Calls `pair` with the places of every number in latents and in tokens. */
function visit(
  { images, channels, grid: [height, width], patch }: PatchLayout,
  pair: (latent: number, token: number) => void,
): void {
  const places = channels * patch * patch;
  let latent = 0;
  for (let image = 0; image < images; image++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0; y < height * patch; y++) {
        const row = Math.floor(y / patch);
        const place = channel * patch * patch + (y % patch) * patch;
        for (let column = 0; column < width; column++) {
          const token = ((image * height + row) * width + column) * places + place;
          for (let b = 0; b < patch; b++) pair(latent++, token + b);
        }
      }
    }
  }
}

/** Number of values of a layout. Throws ShapeError when the values are not that many. */
function checkedSize(values: Float32Array, { images, channels, grid, patch }: PatchLayout): number {
  const size = images * channels * grid[0] * grid[1] * patch * patch;
  if (values.length !== size) {
    throw new ShapeError(
      `${values.length} values are not [${images}, ${channels}, ${grid[0] * patch}, ${grid[1] * patch}]`,
    );
  }
  return size;
}
