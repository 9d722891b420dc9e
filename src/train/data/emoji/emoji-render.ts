/** @file Draws icons (SVG bodies, pictures with transparency) to RGBA pixels of any size, and canvases to PNG. */

import sharp from "sharp";
import { DataFormatError } from "../../../errors.ts";
import type { ImageSize, RgbImage } from "../../../image/pixels.ts";
import { ByteBoundedCache } from "../byte-bounded-cache.ts";
import type { EmojiIcon } from "./emoji-styles.ts";

/** Side of a square canvas in pixels. */
export const CANVAS_SIDE = 256;

/** A drawn icon: `side` x `side` pixels, RGBA, 8 bit, not premultiplied. */
export interface RenderedIcon {
  readonly side: number;
  readonly rgba: Uint8Array;
}

/** Draws icons with sharp and keeps those used last. */
export class EmojiRenderer {
  readonly #cache: ByteBoundedCache<string, RenderedIcon>;

  /** @param cacheBytes memory for drawn icons; one of 224 px takes 200 kB. */
  constructor(cacheBytes = 256 * 1024 * 1024) {
    this.#cache = new ByteBoundedCache(cacheBytes);
  }

  /**
   * @param name identity of the icon for the cache and in messages, e.g. `flat:red-apple`.
   * @param side pixels; the icon is fitted into the square and centred.
   * @throws DataFormatError when the icon cannot be drawn or leaves the square empty.
   */
  async render(name: string, icon: EmojiIcon, side: number): Promise<RenderedIcon> {
    const key = `${name}@${side}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const rendered = await drawIcon(name, icon, side);
    this.#cache.set(key, rendered, rendered.rgba.byteLength);
    return rendered;
  }
}

async function drawIcon(name: string, icon: EmojiIcon, side: number): Promise<RenderedIcon> {
  let rgba: Uint8Array;
  try {
    const source = icon.kind === "svg" ? Buffer.from(svgOf(icon, side)) : icon.path;
    rgba = await sharp(source)
      .resize(side, side, { fit: "contain", background: { r: 0, g: 0, b: 0, alpha: 0 } })
      .ensureAlpha()
      .raw({ depth: "uchar" })
      .toBuffer();
  } catch (cause) {
    throw new DataFormatError("the icon cannot be drawn", {
      where: name,
      remedy: "reinstall the icon packages",
      cause,
    });
  }
  if (rgba.byteLength !== side * side * 4 || rgba.every((value) => value === 0)) {
    throw new DataFormatError("the icon is drawn empty", {
      where: name,
      remedy: "install the versions of the icon packages that this package names",
    });
  }
  return { side, rgba };
}

function svgOf(icon: Extract<EmojiIcon, { kind: "svg" }>, side: number): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ` +
    `width="${side}" height="${side}" viewBox="${icon.viewBox.join(" ")}">${icon.body}</svg>`
  );
}

export type Rgb = readonly [red: number, green: number, blue: number];

/** A canvas filled with one colour. */
export function newCanvas(colour: Rgb, [height, width]: ImageSize): RgbImage {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < data.length; i++) data[i] = colour[i % 3]!;
  return { height, width, data };
}

/** Lays an icon over the canvas with its upper left corner at (left, top); the icon must fit. */
export function paintIcon(canvas: RgbImage, icon: RenderedIcon, left: number, top: number): void {
  const { rgba, side } = icon;
  const { width, data } = canvas;
  for (let y = 0; y < side; y++) {
    let target = ((top + y) * width + left) * 3;
    let source = y * side * 4;
    for (let x = 0; x < side; x++, source += 4, target += 3) {
      const alpha = rgba[source + 3]!;
      if (alpha === 0) continue;
      for (let c = 0; c < 3; c++) {
        const under = data[target + c]!;
        data[target + c] = Math.round(under + ((rgba[source + c]! - under) * alpha) / 255);
      }
    }
  }
}

/** The canvas with left and right exchanged. */
export function mirrorCanvas({ height, width, data }: RgbImage): RgbImage {
  const mirrored = new Uint8Array(data.length);
  for (let pixel = 0; pixel < height * width; pixel++) {
    const x = pixel % width;
    const source = 3 * (pixel - x + width - 1 - x);
    for (let c = 0; c < 3; c++) mirrored[3 * pixel + c] = data[source + c]!;
  }
  return { height, width, data: mirrored };
}

/** Mean difference of two canvases of one size, 0 to 255. */
export function canvasDifference({ data: a }: RgbImage, { data: b }: RgbImage): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += Math.abs(a[i]! - b[i]!);
  return total / a.length;
}

/** The canvas as PNG bytes. */
export async function encodeCanvas({ height, width, data }: RgbImage): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 6, adaptiveFiltering: true })
    .toBuffer();
}
