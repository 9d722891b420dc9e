/** @file How many of a kind a picture shows. */
import type { RgbImage } from "../image/pixels.ts";
import type { SceneLayout } from "../train/data/emoji/emoji-scenes.ts";
import { featureDistance, pictureFeature } from "./picture-feature.ts";
import { composed, cutOut, windowsOf } from "./scene-windows.ts";

/** How a thing may stand in a picture, once or several times. */
const ARRANGEMENTS: readonly SceneLayout[] = ["single", "small", "two", "three", "four"];

/** Levels by which a pixel differs from white if something is drawn there. */
const DRAWN = 32;
/** A window with less than this share of the ink of the real thing is empty. */
const LEAST_INK = 0.3;

/**
 * Counts the things on white: of all arrangements, the one whose picture, made of the thing's real picture, looks most
 * like the drawing by shape and colour; of that, the places where something stands. It says how many there are, not
 * whether each is drawn well.
 * @param alone the real picture of one, on white, of the drawing's size.
 */
export function countIn(drawn: RgbImage, alone: RgbImage): number {
  const feature = pictureFeature(drawn);
  const distances = ARRANGEMENTS.map((layout) => {
    const candidate = layout === "single" ? alone : composed(alone, layout);
    return featureDistance(feature, pictureFeature(candidate));
  });
  const nearest = ARRANGEMENTS[distances.indexOf(Math.min(...distances))]!;
  const least = LEAST_INK * inkShare(alone);
  return windowsOf(nearest, drawn.width).filter((window) => inkShare(cutOut(drawn, window)) >= least).length;
}

/** The share of pixels in which something is drawn on white. */
function inkShare({ data }: RgbImage): number {
  let count = 0;
  for (let at = 0; at < data.length; at += 3) {
    if (Math.min(data[at]!, data[at + 1]!, data[at + 2]!) < 255 - DRAWN) count++;
  }
  return count / (data.length / 3);
}
