/** @file Puts the exact pixels of a source back into a picture that was drawn around them. */
import type { RgbImage } from "../../image/pixels.ts";

/** What of the answer is the source's own, in its size. */
export type PasteBack =
  /** The source in the answer's size; drawn is what is `open`, [height * width]. */
  | { readonly kind: "mask"; readonly source: RgbImage; readonly open: Uint8Array }
  | { readonly kind: "place"; readonly source: RgbImage; readonly left: number; readonly top: number };

/** The drawn picture with the source's pixels in it. Nothing is blended: outside of what was drawn they are exact. */
export function pasteBack(drawn: RgbImage, paste: PasteBack): RgbImage {
  const data = drawn.data.slice();
  const { source } = paste;
  if (paste.kind === "place") {
    for (let row = 0; row < source.height; row++) {
      const line = source.data.subarray(3 * row * source.width, 3 * (row + 1) * source.width);
      data.set(line, 3 * ((paste.top + row) * drawn.width + paste.left));
    }
  } else {
    paste.open.forEach((isOpen, pixel) => {
      if (isOpen === 0) data.set(source.data.subarray(3 * pixel, 3 * pixel + 3), 3 * pixel);
    });
  }
  return { ...drawn, data };
}
