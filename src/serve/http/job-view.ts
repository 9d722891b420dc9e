/** @file Jobs as JSON. */
import { z } from "zod";
import type { JobRecord, JobStatus } from "../contract/job.ts";
import { errorSchema, faultError } from "./api-error.ts";
import { entrySchema, entryView } from "./gallery-view.ts";
import type { ServerParts } from "./server-parts.ts";
import { settingFields } from "./setting-fields.ts";
import { sizeText } from "./size-field.ts";

const STATUSES = [
  "queued",
  "drawing",
  "finished",
  "failed",
  "cancelled",
] as const satisfies readonly JobStatus[];

export const jobStatus = z.enum(STATUSES);

export const jobSchema = z
  .object({
    id: z.string(),
    object: z.literal("job"),
    kind: z.enum(["generation", "edit", "variation"]),
    status: jobStatus,
    model: z.string(),
    created: z.number().meta({ description: "Unix seconds, as are the next two." }),
    started: z.number().nullable(),
    completed: z.number().nullable(),
    poll_url: z.string(),
    events_url: z.string(),
    queue_position: z
      .int()
      .nullable()
      .meta({ description: "Jobs in front of it; null when it is not queued." }),
    progress: z
      .object({
        token: z.int(),
        of: z.int(),
        rows: z.int(),
        of_rows: z.int(),
        seconds_left: z.number().nullable(),
      })
      .nullable(),
    preview: z
      .object({ number: z.int(), rows: z.int(), urls: z.array(z.string()) })
      .nullable()
      .meta({
        description: "The unfinished pictures as they were last looked at; `number` counts the looks.",
      }),
    pictures: z.array(entrySchema),
    usage: z.object({ text_tokens: z.int(), input_image_tokens: z.int(), output_tokens: z.int() }).nullable(),
    error: errorSchema.shape.error.nullable(),
    request: z.object({
      prompt: z.string(),
      n: z.int(),
      seed: z.int(),
      size: z.string(),
      native_size: z.string(),
      settings: z.record(z.string(), z.unknown()),
      images: z.array(z.string()),
      output_format: z.string(),
    }),
  })
  .meta({ id: "Job" });

export type JobView = z.infer<typeof jobSchema>;

export async function jobView(
  record: JobRecord,
  parts: Pick<ServerParts, "gallery" | "keys">,
): Promise<JobView> {
  const { id, status, request, progress, preview, usage, fault, owner } = record;
  const found = await Promise.all(record.pictures.map((picture) => parts.gallery.get(picture)));
  return {
    id,
    object: "job",
    kind: request.task,
    status,
    model: record.model,
    created: record.created,
    started: record.started,
    completed: record.ended,
    poll_url: `/v1/jobs/${id}`,
    events_url: `/v1/jobs/${id}/events`,
    queue_position: record.position,
    progress:
      progress === null
        ? null
        : {
            token: progress.token,
            of: progress.of,
            rows: progress.rows,
            of_rows: progress.ofRows,
            seconds_left: progress.secondsLeft,
          },
    preview:
      preview === null
        ? null
        : {
            number: preview.number,
            rows: preview.rows,
            urls: preview.blobs.map((_, index) => parts.keys.sign(`/v1/jobs/${id}/preview/${index}`, owner)),
          },
    // Pictures that were removed from the gallery meanwhile are gone from their job too.
    pictures: found.flatMap((entry) => (entry === undefined ? [] : [entryView(entry, parts)])),
    usage:
      usage === null
        ? null
        : {
            text_tokens: usage.textTokens,
            input_image_tokens: usage.inputImageTokens,
            output_tokens: usage.outputTokens,
          },
    error: fault === null ? null : faultError(fault).body.error,
    request: {
      prompt: request.prompt,
      n: request.count,
      seed: request.seed,
      size: sizeText(request.asked),
      native_size: sizeText(request.native),
      settings: settingFields(request.settings),
      images: [...request.images],
      output_format: request.output.format,
    },
  };
}

/** A job that the owner may see; undefined also for those of others. */
export async function ownJob(
  { queue, keys }: Pick<ServerParts, "queue" | "keys">,
  id: string,
  owner: string | null,
): Promise<JobRecord | undefined> {
  const record = await queue.get(id);
  return record === undefined || (keys.needed && record.owner !== owner) ? undefined : record;
}
