/** @file The description of a sample, `KEY.json`, as it is read: captions with weights (docs/nextstep-spec.md 4.4, 5). */

import { z } from "zod";
import { DataFormatError } from "../../errors.ts";

/** A caption and the probability with which it is drawn among those of its sample. */
export interface WeightedCaption {
  readonly text: string;
  readonly weight: number;
}

/** Descriptions are small; a larger member is a mistake or an attack on memory. */
export const MAX_JSON_BYTES = 4 * 1024 * 1024;

const texts = z.union([z.string(), z.array(z.string())]);
const alternativesSchema = z.union([texts, z.record(z.string(), texts)]);
/** One text, a list of texts, or either under names. */
export type CaptionAlternatives = z.infer<typeof alternativesSchema>;

const sampleSchema = z.looseObject({
  caption: z.string().optional(),
  caption_all: alternativesSchema.optional(),
  text: z.string().optional(),
  metadata: z.looseObject({ caption_weights: z.array(z.number().nonnegative()).optional() }).optional(),
});
export type SampleDescription = z.infer<typeof sampleSchema>;

/**
 * Parses a description.
 * @param where names the sample in errors.
 * @throws DataFormatError when it is not JSON of the expected form.
 */
export function parseSampleJson(bytes: Uint8Array, where: string): SampleDescription {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new DataFormatError("is not JSON", { where, remedy: "write the data set again", cause });
  }
  const parsed = sampleSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DataFormatError(
    `${issue?.path.join(".") ?? "sample"}: ${issue?.message ?? "is not a description"}`,
    {
      where,
      remedy: "captions are texts or lists of texts",
    },
  );
}

/**
 * The captions of a sample, weights adding up to 1; empty when it has none. `metadata.caption_weights` weighs the
 * texts of `caption_all` in their order; without it all texts, `caption` among them, weigh the same.
 * @throws DataFormatError when the weights do not fit the captions.
 */
export function captionsOf(description: SampleDescription, where: string): WeightedCaption[] {
  const all = description.caption_all;
  const alternatives =
    all === undefined
      ? []
      : typeof all === "string" || Array.isArray(all)
        ? [all].flat()
        : Object.values(all).flat();
  const weights = description.metadata?.caption_weights;
  if (weights !== undefined) {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (weights.length !== alternatives.length || !(total > 0)) {
      throw new DataFormatError(`${weights.length} caption weights for ${alternatives.length} captions`, {
        where,
        remedy: "give every caption of caption_all one weight, not all of them 0",
      });
    }
    return alternatives.map((text, index) => ({ text, weight: weights[index]! / total }));
  }
  const single = description.caption ?? description.text;
  const list = [...new Set(single === undefined ? alternatives : [single, ...alternatives])];
  const usable = list.filter((text) => text.trim() !== "");
  return usable.map((text) => ({ text, weight: 1 / usable.length }));
}

/**
 * The caption that a uniform random number picks.
 * @param uniform in [0, 1).
 * @throws DataFormatError when there are none.
 */
export function pickCaption(captions: readonly WeightedCaption[], uniform: number, where: string): string {
  let rest = uniform;
  for (const caption of captions) {
    rest -= caption.weight;
    if (rest < 0) return caption.text;
  }
  // Weights add up to 1 only within rounding.
  const last = captions.findLast((caption) => caption.weight > 0);
  if (last === undefined)
    throw new DataFormatError("has no caption", { where, remedy: "add one to its json" });
  return last.text;
}
