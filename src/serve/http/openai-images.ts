/** @file OpenAI's image routes. */
import { z } from "zod";
import { eventStream } from "./event-stream.ts";
import { type AnswerOptions, imageEvents, imagesSchema, imagesView } from "./image-answer.ts";
import { ANSWER_FIELDS, HARMLESS_FIELDS, outputOf, PICTURE_FIELDS } from "./image-fields.ts";
import { jobSchema, jobView } from "./job-view.ts";
import type { CheckedRequest, Routes } from "./routes.ts";
import { checkModel } from "./served-models.ts";
import type { ServerParts } from "./server-parts.ts";
import { settingsOf } from "./setting-fields.ts";
import type { Wish } from "./settle-request.ts";
import { parseSize } from "./size-field.ts";
import { finishedJob, submitJob } from "./submit-job.ts";

const generationFields = z.strictObject({ ...PICTURE_FIELDS, ...HARMLESS_FIELDS, ...ANSWER_FIELDS });

type GenerationFields = z.output<typeof generationFields>;

const ANSWERS = {
  200: { description: "The pictures; with `stream`, events (text/event-stream).", schema: imagesSchema },
  202: { description: "With `Prefer: respond-async`: the job.", schema: jobSchema },
};

export function addOpenAiImages(routes: Routes, parts: ServerParts): void {
  routes.add(
    {
      method: "post",
      path: "/v1/images/generations",
      summary: "Draw pictures",
      access: "key",
      body: { schema: generationFields, types: ["json"] },
      answers: ANSWERS,
    },
    async ({ context, fields, signal }) => {
      checkModel(fields.model, parts.model);
      const wish: Wish = {
        ...commonWish(fields, parts),
        task: "generation",
        prompt: fields.prompt,
        size: parseSize(fields.size, parts.limits.pixels),
        images: [],
        readImages: false,
        ground: null,
      };
      return answerWish(wish, fields, "image_generation", { context, signal }, parts);
    },
  );
}

type CommonFields = Omit<GenerationFields, "prompt" | "size">;

function commonWish(fields: CommonFields, _parts: ServerParts) {
  return {
    count: fields.n,
    seed: fields.seed,
    settings: settingsOf(fields),
    pasteBack: true,
    think: fields.think,
    output: outputOf(fields),
    previews: fields.stream ? fields.partial_images : 0,
  } as const;
}

/** Submits what was asked for and answers in the way that was asked for. */
async function answerWish(
  wish: Wish,
  fields: CommonFields,
  kind: "image_generation" | "image_edit",
  { context, signal }: Pick<CheckedRequest<z.ZodObject, z.ZodObject>, "context" | "signal">,
  parts: ServerParts,
): Promise<() => Promise<Response>> {
  const isAsync = prefersAsync(context.req.header("prefer"));
  const accepted = await submitJob(wish, context, parts, !isAsync);
  return async () => {
    const { id } = accepted.record;
    if (isAsync) {
      const headers = { location: `/v1/jobs/${id}`, "preference-applied": "respond-async" };
      return context.json(await jobView(accepted.record, parts), 202, headers);
    }
    if (fields.stream) {
      const events = imageEvents(accepted, kind, fields.partial_images, parts, signal);
      return eventStream(events, parts.limits.pingMs);
    }
    const { record, entries } = await finishedJob(accepted, parts, signal);
    const options: AnswerOptions = {
      format: fields.response_format,
      baseUrl: parts.site.baseUrl(context.env.incoming),
    };
    return context.json(await imagesView(record, entries, options, parts));
  };
}

/** RFC 7240. */
function prefersAsync(header: string | undefined): boolean {
  return (header ?? "").split(",").some((part) => part.trim().toLowerCase() === "respond-async");
}
