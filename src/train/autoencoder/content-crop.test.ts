/** @file Crops look for content and are cut exactly. */
import { expect, it } from "vitest";
import type { RgbImage } from "../../image/pixels.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { contentPlace, cropAt } from "./content-crop.ts";

/** Value of each byte from its place, on white; a block of noise-like content in the lower right. */
function picture(side: number, isContent: (y: number, x: number) => boolean) {
  const data = new Uint8Array(3 * side * side).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (isContent(y, x)) data.set([y, x, 7], 3 * (y * side + x));
    }
  }
  return { width: side, height: side, data };
}

const contentCrop = (source: RgbImage, side: number, rng: CounterRng): RgbImage =>
  cropAt(source, side, contentPlace(source, side, rng));

it("cuts the pixels of one place", () => {
  const source = picture(32, () => true);
  const cut = contentCrop(source, 8, new CounterRng(3));
  expect([cut.width, cut.height]).toEqual([8, 8]);
  const [top, left] = [cut.data[0]!, cut.data[1]!];
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      expect([...cut.data.subarray(3 * (8 * y + x), 3 * (8 * y + x) + 3)]).toEqual([top + y, left + x, 7]);
    }
  }
});

it("mostly shows something although most places are plain", () => {
  const source = picture(64, (y, x) => y >= 32 && x >= 32);
  const rng = new CounterRng(1);
  let shown = 0;
  for (let i = 0; i < 50; i++) {
    if (contentCrop(source, 16, rng).data.some((byte) => byte !== 255)) shown++;
  }
  expect(shown).toBeGreaterThan(45);
});

it("takes a plain picture and a picture of the size as they are", () => {
  const plain = picture(32, () => false);
  expect(contentCrop(plain, 16, new CounterRng(1)).data).toHaveLength(3 * 256);
  expect(contentCrop(plain, 32, new CounterRng(1))).toBe(plain);
});
