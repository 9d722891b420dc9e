/** @file What is left on the white ground of a drawing: stains, and the veil of a decoder. */
import type { RgbImage } from "../image/pixels.ts";

/** Darker than this in any channel is drawn on. */
const WHITE = 250;
/** Share of the side by which a drawing may be larger than the real picture without its rim being taken for a stain. */
const MARGIN = 1 / 16;

/**
 * Mean distance from white, 0 to 255, where the real picture is white with some room around its subject.
 * Both of one size. Undefined where no such ground is left.
 */
export function residueOnWhite(drawn: RgbImage, real: RgbImage): number | undefined {
  const { width, height } = real;
  const near = nearSubject(real, Math.round(MARGIN * Math.min(width, height)));
  let [total, count] = [0, 0];
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (near[pixel] !== 0) continue;
    count += 3;
    for (let channel = 0; channel < 3; channel++) total += 255 - drawn.data[3 * pixel + channel]!;
  }
  return count === 0 ? undefined : total / count;
}

/** 1 for the pixels from which something drawn is at most `reach` away in both directions, [height, width]. */
function nearSubject({ width, height, data }: RgbImage, reach: number): Uint8Array {
  const rows = new Uint8Array(width * height);
  const near = new Uint8Array(width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (Math.min(data[3 * pixel]!, data[3 * pixel + 1]!, data[3 * pixel + 2]!) >= WHITE) continue;
    const x = pixel % width;
    rows.fill(1, pixel - Math.min(reach, x), pixel + Math.min(reach, width - 1 - x) + 1);
  }
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (rows[pixel] === 0) continue;
    const y = Math.floor(pixel / width);
    for (let row = Math.max(0, y - reach); row <= Math.min(height - 1, y + reach); row++) {
      near[row * width + (pixel % width)] = 1;
    }
  }
  return near;
}
