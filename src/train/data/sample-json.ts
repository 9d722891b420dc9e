/** @file The description of a sample, `KEY.json`, as it is read: captions with weights (docs/nextstep-spec.md 4.4, 5). */

import { z } from "zod";
import { DataFormatError } from "../../errors.ts";
import { decodeText } from "../../formats/text.ts";
import { firstIssue, issueField } from "./schema-issue.ts";

/** A caption and the probability with which it is drawn among those of its sample. */
export interface WeightedCaption {
  readonly text: string;
  readonly weight: number;
}

/** Descriptions are small; a larger member is a mistake or an attack on memory. */
export const MAX_JSON_BYTES = 4 * 1024 * 1024;

/** Tables of captions leave null where they have none. */
const textSchema = z.string().nullable();
const textsSchema = z.union([textSchema, z.array(textSchema)]);
const alternativesSchema = z.union([textsSchema, z.record(z.string(), textsSchema)]);
/** One text, a list of texts, or either under names. */
export type CaptionAlternatives = z.infer<typeof alternativesSchema>;

const present = <Value>(value: Value | null | undefined): Value | undefined => value ?? undefined;
const metadataSchema = z.looseObject({ caption_weights: z.array(z.number().nonnegative()).optional() });

const sampleSchema = z.looseObject({
  caption: z.string().nullish().transform(present),
  caption_all: alternativesSchema.nullish().transform(present),
  text: z.string().nullish().transform(present),
  metadata: metadataSchema.nullish().transform(present),
});
export type SampleDescription = Partial<z.infer<typeof sampleSchema>>;

/**
 * Parses a description.
 * @param where names the sample in errors.
 * @throws DataFormatError when it is not JSON of the expected form.
 */
export function parseSampleJson(bytes: Uint8Array, where: string): SampleDescription {
  return parseSampleText(decodeText(bytes, where), where);
}

/** As {@link parseSampleJson}, for a text. */
export function parseSampleText(text: string, where: string): SampleDescription {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = `is not JSON${text.trim() === "" ? " but empty" : ""}`;
    throw new DataFormatError(reason, { where, remedy: "write the data set again", cause });
  }
  return checkSample(value, where);
}

/**
 * Checks a value that was parsed already.
 * @throws DataFormatError when it is not a description.
 */
export function checkSample(value: unknown, where: string): SampleDescription {
  const parsed = sampleSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = firstIssue(parsed.error);
  const field = issue === undefined ? "" : issueField(issue);
  throw new DataFormatError(
    `${field === "" ? "the description" : field}: ${issue?.message ?? "is not valid"}`,
    {
      where,
      remedy: "captions are texts or lists of texts",
    },
  );
}

/**
 * The captions of a sample that hold text, weights adding up to 1; empty when it has none. `metadata.caption_weights`
 * weighs the texts of `caption_all` in their order; without it all texts, `caption` among them, weigh the same.
 * @throws DataFormatError when the weights do not fit the captions.
 */
export function captionsOf(description: SampleDescription, where: string): WeightedCaption[] {
  const all = description.caption_all ?? [];
  const alternatives =
    typeof all === "string" || Array.isArray(all) ? [all].flat() : Object.values(all).flat();
  const weights = description.metadata?.caption_weights;
  if (weights !== undefined) {
    if (weights.length !== alternatives.length || !weights.some((weight) => weight > 0)) {
      throw new DataFormatError(`${weights.length} caption weights for ${alternatives.length} captions`, {
        where,
        remedy: "give every caption of caption_all one weight, not all of them 0",
      });
    }
    const weighted = alternatives.flatMap((text, index) =>
      holdsText(text) ? [{ text, weight: weights[index]! }] : [],
    );
    const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
    return total > 0 ? weighted.map(({ text, weight }) => ({ text, weight: weight / total })) : [];
  }
  const single = [description.caption, description.text].find(holdsText);
  const usable = [...new Set([single, ...alternatives].filter(holdsText))];
  return usable.map((text) => ({ text, weight: 1 / usable.length }));
}

/**
 * What a record says beside its known keys: keys of its own, and those of its `metadata`. Caption weights are left
 * out, as they mean something to the reader.
 */
export function metadataOf(
  record: Readonly<Record<string, unknown>>,
  known: readonly string[],
): Record<string, unknown> {
  const { metadata } = record;
  const nested = typeof metadata === "object" && metadata !== null ? metadata : {};
  const left = new Set([...known, "metadata", "caption_weights"]);
  const own = Object.entries({ ...record, ...nested });
  return Object.fromEntries(own.filter(([key, value]) => !left.has(key) && value !== undefined));
}

function holdsText(text: string | null | undefined): text is string {
  return typeof text === "string" && text.trim() !== "";
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
