/** @file Sizes as clients write them: `512x768`, or `auto`. */
import { z } from "zod";
import { MAX_SIDE } from "../../generate/settings.ts";
import type { PixelSize } from "../contract/draw-request.ts";
import { invalidRequest } from "./api-error.ts";

export const sizeField = z
  .string()
  .regex(/^(?:auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/i, "is not a size: give WIDTHxHEIGHT in pixels, or 'auto'")
  .optional()
  .meta({ description: "WIDTHxHEIGHT in pixels, or `auto` for the model's own or the first image's." });

/** @throws ApiError for more than `maxPixels` pixels, or a side that is longer than any picture's. */
export function parseSize(text: string | undefined, maxPixels: number): PixelSize | "auto" {
  const [, width, height] = /^(\d+)x(\d+)$/i.exec(text ?? "") ?? [];
  if (width === undefined || height === undefined) return "auto";
  return boundedSize({ width: Number(width), height: Number(height) }, maxPixels);
}

export function boundedSize(size: PixelSize, maxPixels: number): PixelSize {
  const { width, height } = size;
  if (width <= MAX_SIDE && height <= MAX_SIDE && width * height <= maxPixels) return size;
  throw invalidRequest(`Invalid size '${sizeText(size)}': at most ${maxPixels} pixels are answered.`, {
    param: "size",
    code: "invalid_size",
  });
}

export function sizeText({ width, height }: PixelSize): string {
  return `${width}x${height}`;
}
