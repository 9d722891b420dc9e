/** @file Pictures in every format that is read, through the codec. */

import sharp from "sharp";
import { decodeImage } from "../../src/files/decode-image.ts";
import { isPng } from "../../src/formats/png.ts";
import { type FuzzTarget, FuzzViolation, repairPng, words } from "./target.ts";

/** Far above the seeds' size, far below what a run of thousands could afford. */
const MAX_PIXELS = 1 << 18;

export async function picture(): Promise<FuzzTarget> {
  const data = Uint8Array.from({ length: 3 * 24 * 16 }, (_, at) => (at * 37) % 251);
  const image = sharp(data, { raw: { width: 24, height: 16, channels: 3 } });
  const formats = ["png", "jpeg", "webp", "gif", "tiff"] as const;
  const seeds = formats.map((format) => image.clone().toFormat(format).toBuffer());
  const turned = image.clone().withMetadata({ orientation: 6 }).jpeg({ progressive: true });
  return {
    name: "picture",
    seeds: [
      ...(await Promise.all(seeds)),
      await turned.toBuffer(),
      await image.clone().ensureAlpha(0.5).webp({ lossless: true }).toBuffer(),
      await image.clone().greyscale().png({ palette: true }).toBuffer(),
    ],
    words: words(
      "\xff\xd8",
      "\xff\xc0\x00\x11\x08",
      "\xff\xda",
      "\xff\xd9",
      "IHDR",
      "IDAT",
      "VP8L",
      "VP8X",
      "ANIM",
      "GIF89a",
      "<svg",
    ),
    run: async (bytes) => {
      const {
        width,
        height,
        data: pixels,
      } = await decodeImage(bytes, "fuzzed picture", { maxPixels: MAX_PIXELS });
      if (pixels.length !== 3 * width * height || width * height > MAX_PIXELS) {
        throw new FuzzViolation(`${width}x${height} in ${pixels.length} bytes`);
      }
    },
    repair: (bytes) => (isPng(bytes) ? repairPng(bytes) : bytes),
  };
}
