/** @file The open part of a mask on other grids: of tokens, and of the answer's pixels. */
import type { PixelSize } from "../contract/draw-request.ts";

export interface MaskPixels extends PixelSize {
  /** [height * width], 1 where it is to be drawn. */
  readonly open: Uint8Array;
}

/**
 * The mask stretched over a grid of other cells: one is open when any pixel is that it has a part of.
 * @returns [height * width] of the grid, 1 where open
 */
export function openCells({ width, height, open }: MaskPixels, grid: PixelSize): Uint8Array {
  const columns = spans(width, grid.width);
  const rows = spans(height, grid.height);
  const cells = new Uint8Array(grid.width * grid.height);
  rows.forEach(([top, bottom], row) => {
    columns.forEach(([left, right], column) => {
      for (let y = top; y < bottom; y++) {
        // From the row's own part on: a mask has millions of pixels.
        const at = open.subarray(y * width + left, y * width + right).indexOf(1);
        if (at < 0) continue;
        cells[row * grid.width + column] = 1;
        return;
      }
    });
  });
  return cells;
}

/** Which of `from` pixels each of `to` cells has a part of. Whole numbers alone: no pixel is lost to rounding. */
function spans(from: number, to: number): readonly (readonly [start: number, end: number])[] {
  return Array.from({ length: to }, (_, cell) => [
    Math.floor((cell * from) / to),
    Math.ceil(((cell + 1) * from) / to),
  ]);
}
