/** @file The generation position embedding of the first release (docs/nextstep-spec.md 2.5). */

/** Token columns of the published table, whatever the grid of the picture. */
export const GENERATION_GRID = 32;

/**
 * The table [grid * grid, width]: sines and cosines of the column, then of the row, computed in float64.
 * @param grid token columns of the table; @param width hidden size, a multiple of 4.
 */
export function generationPositions(grid: number, width: number): Float32Array {
  const quarter = width / 4;
  const table = new Float32Array(grid * grid * width);
  const frequencies = Float64Array.from({ length: quarter }, (_, k) => 1 / 10_000 ** (k / quarter));
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const start = (row * grid + column) * width;
      frequencies.forEach((frequency, k) => {
        table[start + k] = Math.sin(column * frequency);
        table[start + quarter + k] = Math.cos(column * frequency);
        table[start + 2 * quarter + k] = Math.sin(row * frequency);
        table[start + 3 * quarter + k] = Math.cos(row * frequency);
      });
    }
  }
  return table;
}
