/** @file Draws icons: SVG body to RGBA pixels at the two sizes that canvases use, and canvases to PNG. */

import sharp from "sharp";
import { DataFormatError } from "../../../errors.ts";
import { ByteBoundedCache } from "../byte-bounded-cache.ts";
import type { EmojiIcon } from "./emoji-sets.ts";

/** Side of the canvas, of a single icon on it, and of one of several icons, in pixels. */
export const CANVAS_SIDE = 128;
export const SINGLE_SIDE = 112;
export const CELL_ICON_SIDE = 56;

/** A drawn icon: `side` x `side` pixels, RGBA, 8 bit, not premultiplied. */
export interface RenderedIcon {
  readonly side: number;
  readonly rgba: Uint8Array;
}

/** Draws icons with sharp and keeps those used last. */
export class EmojiRenderer {
  readonly #cache: ByteBoundedCache<string, RenderedIcon>;

  /** @param cacheBytes memory for drawn icons; one of 112 px takes 50 kB. */
  constructor(cacheBytes = 128 * 1024 * 1024) {
    this.#cache = new ByteBoundedCache(cacheBytes);
  }

  /**
   * @param name identity of the icon for the cache and in messages, e.g. `noto:red-apple`.
   * @param side pixels; the icon is fitted into the square and centred.
   * @throws DataFormatError when the SVG cannot be drawn or leaves the square empty.
   */
  async render(name: string, icon: EmojiIcon, side: number): Promise<RenderedIcon> {
    const key = `${name}@${side}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const rendered = await drawSvg(name, icon, side);
    this.#cache.set(key, rendered, rendered.rgba.byteLength);
    return rendered;
  }
}

async function drawSvg(name: string, icon: EmojiIcon, side: number): Promise<RenderedIcon> {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ` +
    `width="${side}" height="${side}" viewBox="${icon.viewBox.join(" ")}">${icon.body}</svg>`;
  let rgba: Uint8Array;
  try {
    rgba = await sharp(Buffer.from(svg)).ensureAlpha().raw({ depth: "uchar" }).toBuffer();
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
      remedy: "install the ^1.2 versions of the icon packages",
    });
  }
  return { side, rgba };
}

export type Rgb = readonly [red: number, green: number, blue: number];

/** A canvas filled with one colour: RGB, 8 bit, rows from the top. */
export function newCanvas(colour: Rgb): Uint8Array {
  const pixels = new Uint8Array(CANVAS_SIDE * CANVAS_SIDE * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colour[i % 3]!;
  return pixels;
}

/** Lays an icon over the canvas with its upper left corner at (left, top); the icon must fit. */
export function paintIcon(canvas: Uint8Array, icon: RenderedIcon, left: number, top: number): void {
  const { rgba, side } = icon;
  for (let y = 0; y < side; y++) {
    let target = ((top + y) * CANVAS_SIDE + left) * 3;
    let source = y * side * 4;
    for (let x = 0; x < side; x++, source += 4, target += 3) {
      const alpha = rgba[source + 3]!;
      if (alpha === 0) continue;
      for (let c = 0; c < 3; c++) {
        const under = canvas[target + c]!;
        canvas[target + c] = Math.round(under + ((rgba[source + c]! - under) * alpha) / 255);
      }
    }
  }
}

/** The canvas as PNG bytes. */
export async function encodeCanvas(canvas: Uint8Array): Promise<Buffer> {
  return sharp(canvas, { raw: { width: CANVAS_SIDE, height: CANVAS_SIDE, channels: 3 } })
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toBuffer();
}
