/** @file Writes a picture as PNG without a picture codec: drawing need not load one. */
import { writePngChunks } from "../formats/png.ts";
import type { Zlib } from "../formats/zlib.ts";
import { checkImage, type RgbImage } from "./pixels.ts";

const BYTES_PER_PIXEL = 3;
const BIT_DEPTH = 8;
const COLOUR_TYPE_RGB = 2;

/** The filters of PNG by number: what a byte is predicted from, given left, above and above-left. */
const PREDICTORS: readonly ((left: number, above: number, corner: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [
    Math.abs(guess - left),
    Math.abs(guess - above),
    Math.abs(guess - corner),
  ];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** 8-bit RGB, not interlaced, without metadata. Throws ShapeError when the data does not fit the size. */
export async function encodePng(
  image: RgbImage,
  { deflate }: Pick<Zlib, "deflate">,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, data } = checkImage(image);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([BIT_DEPTH, COLOUR_TYPE_RGB], 8);
  return writePngChunks([
    { type: "IHDR", data: header },
    { type: "IDAT", data: await deflate(filterRows(data, width * BYTES_PER_PIXEL, height)) },
    { type: "IEND", data: new Uint8Array(0) },
  ]);
}

/** Each row under the filter that leaves the least to say, by the customary sum of magnitudes. */
function filterRows(data: Uint8Array, stride: number, height: number): Uint8Array {
  const filtered = new Uint8Array((stride + 1) * height);
  const candidate = new Uint8Array(stride);
  for (let row = 0; row < height; row++) {
    const start = row * stride;
    const target = row * (stride + 1);
    let least = Number.POSITIVE_INFINITY;
    PREDICTORS.forEach((predict, filter) => {
      let sum = 0;
      for (let i = 0; i < stride; i++) {
        const left = i < BYTES_PER_PIXEL ? 0 : (data[start + i - BYTES_PER_PIXEL] as number);
        const above = row === 0 ? 0 : (data[start + i - stride] as number);
        const corner =
          row === 0 || i < BYTES_PER_PIXEL ? 0 : (data[start + i - stride - BYTES_PER_PIXEL] as number);
        const rest = ((data[start + i] as number) - predict(left, above, corner)) & 255;
        candidate[i] = rest;
        sum += rest < 128 ? rest : 256 - rest;
      }
      if (sum >= least) return;
      least = sum;
      filtered[target] = filter;
      filtered.set(candidate, target + 1);
    });
  }
  return filtered;
}
