/** @file How well the image tokenizer gives pictures back, clean and with noise on the latents. */
import { type RgbImage, toPlanes } from "../../image/pixels.ts";
import { edgeRatio, peakSignalToNoise } from "../../train/autoencoder/autoencoder-validation.ts";
import { type Estimate, meanOf, ratioOf } from "../estimate.ts";
import { gradientStrength } from "../gradient-strength.ts";
import { structuralSimilarity } from "../structural-similarity.ts";
import type { Heading, Row, Unit } from "./row.ts";

/**
 * Of reconstructions at one strength of noise. Edges are measured twice: as signed differences across the edges of the
 * picture itself, which misplaced ones weaken, and as strong gradients wherever they are, which drawings are measured
 * by, too.
 */
export function tokenizerRows(
  heading: Heading,
  noise: number,
  pictures: readonly RgbImage[],
  copies: readonly RgbImage[],
): Row[] {
  const row = (measure: string, unit: Unit, model: Estimate): Row => ({
    ...heading,
    measure: `${measure} at noise ${noise}`,
    unit,
    model,
    floor: null,
  });
  const planes = pictures.map((picture, index) => ({
    side: picture.width,
    target: toPlanes(picture),
    found: toPlanes(copies[index]!),
  }));
  return [
    row("PSNR", "decibels", meanOf(planes.map(({ found, target }) => peakSignalToNoise(found, target)))),
    row(
      "SSIM",
      "ratio",
      meanOf(pictures.map((picture, index) => structuralSimilarity(copies[index]!, picture))),
    ),
    row(
      "edges in place",
      "ratio",
      meanOf(planes.map(({ found, target, side }) => edgeRatio(found, target, side))),
    ),
    row(
      "strong edges",
      "ratio",
      ratioOf(
        pictures.map((picture, index) => [
          gradientStrength(copies[index]!).strong,
          gradientStrength(picture).strong,
        ]),
      ),
    ),
  ];
}
