/** @file Blocks of pixels as channels and back: what a sub-pixel convolution needs (Shi et al. 2016, arXiv 1609.05158). */
import { type Dim, divideSize, formatShape, multiplySizes } from "../size.ts";
import { shapeError, type Value } from "../value.ts";
import { transpose } from "./layout.ts";
import { reshape } from "./reshape.ts";

/**
 * Channels to blocks of pixels, in PyTorch's order: channel (c * f + i) * f + j is row i and column j of the block of c.
 * x [n, c f f, h, w] -> [n, c, f h, f w]. Throws ShapeError when the channels do not divide.
 */
export function pixelShuffle(x: Value, factor: number): Value {
  if (factor === 1) return x;
  const [pictures, inputs, height, width] = x.shape as [Dim, number, Dim, Dim];
  const channels = inputs / factor ** 2;
  if (!Number.isInteger(channels)) {
    throw shapeError("pixelShuffle", `${formatShape(x.shape)} has no channels for blocks of ${factor}`);
  }
  const blocks = reshape(x, [pictures, channels, factor, factor, height, width]);
  const placed = transpose(blocks, [0, 1, 4, 2, 5, 3]); // [n, c, h, f, w, f]
  return reshape(placed, [pictures, channels, multiplySizes(factor, height), multiplySizes(factor, width)]);
}

/** The inverse of {@link pixelShuffle}. x [n, c, f h, f w] -> [n, c f f, h, w]. Throws ShapeError for other sides. */
export function pixelUnshuffle(x: Value, factor: number): Value {
  if (factor === 1) return x;
  const [pictures, channels, ...sides] = x.shape as [Dim, Dim, Dim, Dim];
  const [height, width] = sides.map((side) => divideSize(side, factor));
  if (
    height === undefined ||
    width === undefined ||
    multiplySizes(factor, height) !== sides[0] ||
    multiplySizes(factor, width) !== sides[1]
  ) {
    throw shapeError("pixelUnshuffle", `${formatShape(x.shape)} does not divide into blocks of ${factor}`);
  }
  const blocks = reshape(x, [pictures, channels, height, factor, width, factor]);
  const placed = transpose(blocks, [0, 1, 3, 5, 2, 4]); // [n, c, f, f, h, w]
  return reshape(placed, [pictures, multiplySizes(factor ** 2, channels), height, width]);
}
