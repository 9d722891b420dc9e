/** @file `progress` of the AUTOMATIC1111 family. */
import { z } from "zod";
import { toBase64 } from "../../formats/base64.ts";
import type { JobRecord } from "../contract/job.ts";
import { sizeText } from "./size-field.ts";

export const progressSchema = z.object({
  progress: z.number(),
  eta_relative: z.number(),
  state: z.object({
    skipped: z.boolean(),
    interrupted: z.boolean(),
    stopping_generation: z.boolean(),
    job: z.string(),
    job_count: z.int(),
    job_timestamp: z.string(),
    job_no: z.int(),
    sampling_step: z.int(),
    sampling_steps: z.int(),
  }),
  current_image: z.string().nullable(),
  textinfo: z.string().nullable(),
});

/**
 * @param record the job that is told of; undefined where none is under way
 * @param count jobs under way
 * @param image the latest look at its first picture
 */
export function progressView(
  record: JobRecord | undefined,
  count: number,
  image: Uint8Array | undefined,
): z.infer<typeof progressSchema> {
  const { token = 0, of = 0, secondsLeft = null } = record?.progress ?? {};
  return {
    progress: of === 0 ? 0 : token / of,
    eta_relative: secondsLeft ?? 0,
    state: {
      skipped: false,
      interrupted: false,
      stopping_generation: false,
      job: record === undefined ? "" : `${record.request.task} ${sizeText(record.request.asked)}`,
      job_count: count,
      job_timestamp: "0",
      job_no: 0,
      // Tokens are what this model steps through.
      sampling_step: token,
      sampling_steps: of,
    },
    current_image: image === undefined ? null : toBase64(image),
    textinfo: null,
  };
}
