/** @file Answers of OpenAI's image routes: whole, or as a stream of events. */
import { z } from "zod";
import { toBase64 } from "../../formats/base64.ts";
import type { GalleryEntry } from "../contract/gallery.ts";
import type { JobRecord, JobUsage } from "../contract/job.ts";
import { ApiError } from "./api-error.ts";
import { DONE, type ServerEvent } from "./event-stream.ts";
import { contentPath, noteSchema } from "./gallery-view.ts";
import type { ServerParts } from "./server-parts.ts";
import { sizeText } from "./size-field.ts";
import { type Accepted, attendedRecords, picturesOf } from "./submit-job.ts";

const tokenCounts = z.object({ image_tokens: z.int(), text_tokens: z.int() });

const usageSchema = z
  .object({
    input_tokens: z.int(),
    input_tokens_details: tokenCounts,
    output_tokens: z.int(),
    output_tokens_details: tokenCounts,
    total_tokens: z.int(),
  })
  .meta({ id: "Usage" });

const imageSchema = z.object({
  b64_json: z.string().optional(),
  url: z.string().optional(),
  revised_prompt: z.string().optional().meta({ description: "What the model wrote down before it drew." }),
  seed: z.int(),
  notes: z.array(noteSchema).optional(),
});

export const imagesSchema = z
  .object({
    created: z.int(),
    id: z.string().meta({ description: "The job." }),
    data: z.array(imageSchema),
    background: z.literal("opaque"),
    output_format: z.enum(["png", "jpeg", "webp"]),
    size: z.string(),
    x_native_size: z.string().meta({ description: "What the model drew; the answer is resampled from it." }),
    usage: usageSchema,
  })
  .meta({ id: "Images" });

export type ImagesView = z.infer<typeof imagesSchema>;

export interface AnswerOptions {
  readonly format: "b64_json" | "url";
  /** Where the client reached the server. */
  readonly baseUrl: string;
}

export async function imagesView(
  record: JobRecord,
  entries: readonly GalleryEntry[],
  options: AnswerOptions,
  parts: ServerParts,
): Promise<ImagesView> {
  const { request } = record;
  return {
    created: Math.floor(record.ended ?? record.created),
    id: record.id,
    data: await Promise.all(entries.map((entry) => imageView(entry, options, parts))),
    background: "opaque",
    output_format: request.output.format,
    size: sizeText(request.asked),
    x_native_size: sizeText(request.native),
    usage: usageView(record.usage),
  };
}

async function imageView(
  entry: GalleryEntry,
  { format, baseUrl }: AnswerOptions,
  parts: ServerParts,
): Promise<ImagesView["data"][number]> {
  const { recipe, notes } = entry;
  const picture =
    format === "url"
      ? { url: `${baseUrl}${contentPath(entry, parts.keys)}` }
      : { b64_json: await base64Of(entry.blob, parts) };
  return {
    ...picture,
    ...(recipe.thought === undefined ? {} : { revised_prompt: recipe.thought.text }),
    seed: recipe.seed,
    ...(notes.length === 0 ? {} : { notes: notes.map(({ kind, text }) => ({ kind, text })) }),
  };
}

export async function base64Of(blob: string, { store }: Pick<ServerParts, "store">): Promise<string> {
  const bytes = await store.get(blob);
  if (bytes === undefined) {
    throw new ApiError(410, "The picture was removed from the store.", { code: "picture_removed" });
  }
  return toBase64(bytes);
}

function usageView(usage: JobUsage | null): ImagesView["usage"] {
  const { textTokens, inputImageTokens, outputTokens } = usage ?? {
    textTokens: 0,
    inputImageTokens: 0,
    outputTokens: 0,
  };
  const input = textTokens + inputImageTokens;
  return {
    input_tokens: input,
    input_tokens_details: { image_tokens: inputImageTokens, text_tokens: textTokens },
    output_tokens: outputTokens,
    output_tokens_details: { image_tokens: outputTokens, text_tokens: 0 },
    total_tokens: input + outputTokens,
  };
}

/**
 * The events of a job: looks at the unfinished pictures, the finished ones, `[DONE]`. A look that the client was too slow for
 * is left out. With several pictures, `image_index` tells them apart.
 */
export async function* imageEvents(
  accepted: Accepted,
  kind: "image_generation" | "image_edit",
  partialImages: number,
  parts: ServerParts,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  let record = accepted.record;
  let [look, partials] = [0, 0];
  for await (const now of attendedRecords(accepted, parts, signal)) {
    record = now;
    const { preview } = now;
    if (preview === null || preview.number <= look || partials >= partialImages) continue;
    look = preview.number;
    for (const [index, blob] of preview.blobs.entries()) {
      const bytes = await parts.store.get(blob);
      // A newer look has taken its place.
      if (bytes === undefined) continue;
      yield pictureEvent(`${kind}.partial_image`, record, index, toBase64(bytes), {
        partial_image_index: partials,
        // Looks are always PNG.
        output_format: "png",
      });
    }
    partials++;
  }
  for (const [index, entry] of (await picturesOf(record, parts)).entries()) {
    yield pictureEvent(`${kind}.completed`, record, index, await base64Of(entry.blob, parts), {
      output_format: record.request.output.format,
      seed: entry.recipe.seed,
      usage: usageView(record.usage),
    });
  }
  yield DONE;
}

function pictureEvent(
  type: string,
  { id, request, created }: JobRecord,
  index: number,
  base64: string,
  more: Readonly<Record<string, unknown>>,
): ServerEvent {
  const data = {
    type,
    b64_json: base64,
    created_at: Math.floor(created),
    size: sizeText(request.asked),
    quality: "auto",
    background: "opaque",
    image_index: index,
    id,
    x_native_size: sizeText(request.native),
    ...more,
  };
  return { event: type, data: JSON.stringify(data) };
}
