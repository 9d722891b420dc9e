/** @file Tokens that a drawing is given: it reads them where it would draw, and draws the rest. */
import { InputError } from "../errors.ts";
import type { Grid } from "../sequence/segments.ts";
import { Canvas } from "./canvas.ts";
import type { DrawingOrder } from "./drawing-order.ts";
import type { TokenBatch } from "./token-batch.ts";

/** Tokens to keep: the first ones of each picture, or with a mask those of single cells. */
export interface KeptTokens extends TokenBatch {
  /**
   * [pictures, cells], 1 where a token is kept and 0 where one is drawn. `data` is then [pictures, cells, 64], and what
   * stands in it at cells that are drawn does not count.
   */
  readonly mask?: Uint8Array;
}

/**
 * A canvas for each picture, with what is kept on it.
 * @param orders in which each picture is drawn; default: raster
 * @throws InputError when the tokens or the mask do not fit, or a kept number is not finite.
 */
export function canvasesOf(
  keep: KeptTokens | undefined,
  pictures: number,
  grid: Grid,
  width: number,
  orders: readonly DrawingOrder[] = [],
): readonly Canvas[] {
  const canvases = Array.from({ length: pictures }, (_, picture) => new Canvas(grid, width, orders[picture]));
  if (keep === undefined) return canvases;
  const { data, mask } = keep;
  const cells = grid[0] * grid[1];
  const length = checkKept(keep, pictures, cells, width);
  canvases.forEach((canvas, picture) => {
    for (let cell = 0; cell < length; cell++) {
      if (mask !== undefined && mask[picture * cells + cell] === 0) continue;
      const from = (picture * length + cell) * width;
      canvas.force(cell, data.subarray(from, from + width));
    }
  });
  return canvases;
}

/** Tokens given for each picture. */
function checkKept(
  { data, shape, mask }: KeptTokens,
  pictures: number,
  cells: number,
  width: number,
): number {
  const [held, length = 0, numbers] = Array.isArray(shape) ? shape : [];
  const most = mask === undefined ? `up to ${cells}` : `${cells}`;
  const fits =
    data instanceof Float32Array &&
    held === pictures &&
    numbers === width &&
    data.length === pictures * length * width &&
    (mask === undefined ? length <= cells : length === cells);
  if (!fits) {
    throw new InputError(`[${String(shape)}] does not fit this drawing`, {
      where: "keep",
      remedy: `give float32 tokens of ${pictures} pictures, [${pictures}, ${most}, ${width}]`,
    });
  }
  if (
    mask !== undefined &&
    (!(mask instanceof Uint8Array) || mask.length !== pictures * cells || mask.some((on) => on > 1))
  ) {
    throw new InputError(`the mask is not ${pictures} x ${cells} zeros and ones`, {
      where: "keep",
      remedy: "give a Uint8Array with 1 for each cell whose token is kept",
    });
  }
  return length;
}
