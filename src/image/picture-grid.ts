/** @file Several pictures of one size in one, in rows. */
import { InputError } from "../errors.ts";
import type { RgbImage } from "./pixels.ts";

/** White pixels between pictures. */
const GAP = 2;

/**
 * @param rows pictures of one size; a row may be shorter than the others.
 * @param gap white pixels between pictures.
 * @throws InputError when there is no picture or sizes differ.
 */
export function pictureGrid(rows: readonly (readonly RgbImage[])[], gap = GAP): RgbImage {
  const first = rows.flat()[0];
  if (first === undefined) throw new InputError("there are no pictures", { where: "grid" });
  const columns = Math.max(...rows.map(({ length }) => length));
  const width = columns * (first.width + gap) - gap;
  const height = rows.length * (first.height + gap) - gap;
  const data = new Uint8Array(3 * width * height).fill(255);
  rows.forEach((row, rowIndex) => {
    row.forEach((picture, column) => {
      if (picture.width !== first.width || picture.height !== first.height) {
        throw new InputError("pictures differ in size", { where: "grid" });
      }
      for (let y = 0; y < picture.height; y++) {
        const line = picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width);
        const top = rowIndex * (first.height + gap) + y;
        data.set(line, 3 * (top * width + column * (first.width + gap)));
      }
    });
  });
  return { width, height, data };
}

/** Pictures as rows of so many; the last may be shorter. */
export function gridRows(pictures: readonly RgbImage[], columns: number): (readonly RgbImage[])[] {
  return Array.from({ length: Math.ceil(pictures.length / columns) }, (_, row) =>
    pictures.slice(row * columns, (row + 1) * columns),
  );
}
