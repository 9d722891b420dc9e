/** @file OpenAI's image routes: drawing, editing, variations. */
import { z } from "zod";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { DrawGround } from "../contract/draw-request.ts";
import { invalidRequest } from "./api-error.ts";
import { eventStream } from "./event-stream.ts";
import { imageEvents, imagesSchema, imagesView } from "./image-answer.ts";
import { ANSWER_FIELDS, HARMLESS_FIELDS, MASK_FIELDS, outputOf, PICTURE_FIELDS } from "./image-fields.ts";
import { checkMaskSize, fittingSize, type InputPicture, keepPicture } from "./input-picture.ts";
import { jobSchema, jobView } from "./job-view.ts";
import { recipeIn } from "./picture-recipe.ts";
import type { FilePart } from "./request-body.ts";
import type { CheckedRequest, Routes } from "./routes.ts";
import { checkModel } from "./served-models.ts";
import { logFault } from "./server-log.ts";
import type { ServerParts } from "./server-parts.ts";
import { settingsOf } from "./setting-fields.ts";
import type { Wish } from "./settle-request.ts";
import { parseSize } from "./size-field.ts";
import { finishedJob, submitJob } from "./submit-job.ts";

const generationFields = z.strictObject({ ...PICTURE_FIELDS, ...HARMLESS_FIELDS, ...ANSWER_FIELDS });

const editFields = z.strictObject({ ...generationFields.shape, ...MASK_FIELDS });

const variationFields = z.strictObject({
  ...generationFields.shape,
  prompt: z.string().optional().meta({
    description: "Default: what the picture's own recipe says, or nothing.",
  }),
});

type CommonFields = Omit<z.output<typeof generationFields>, "prompt">;

/** Of a picture that is varied, the upper quarter stays as it is. Masks are stretched over what they are of. */
const VARIATION_MASK: RgbImage = { width: 1, height: 4, data: new Uint8Array(12).fill(255, 3) };

const ANSWERS = {
  200: { description: "The pictures; with `stream`, events (text/event-stream).", schema: imagesSchema },
  202: { description: "With `Prefer: respond-async`: the job.", schema: jobSchema },
};

export function addOpenAiImages(routes: Routes, parts: ServerParts): void {
  const { limits, model } = parts;

  routes.add(
    {
      method: "post",
      path: "/v1/images/generations",
      summary: "Draw pictures",
      access: "key",
      body: { schema: generationFields, types: ["json"] },
      answers: ANSWERS,
    },
    (request) => {
      const { fields } = request;
      const wish: Wish = {
        ...commonWish(fields, parts),
        task: "generation",
        prompt: fields.prompt,
        size: parseSize(fields.size, limits.pixels),
        images: [],
        readImages: false,
        ground: null,
        pasteBack: false,
      };
      return answerWish(wish, fields, "image_generation", request, parts);
    },
  );

  routes.add(
    {
      method: "post",
      path: "/v1/images/edits",
      summary: "Edit pictures: by instruction, or where a mask opens the first one",
      access: "key",
      body: {
        schema: editFields,
        types: ["form"],
        files: {
          image: "A picture; `image[]`, or the field again, for several.",
          mask: "Of the size of the first picture. Where it is transparent, or as `mask_opens` says, is drawn anew.",
        },
      },
      answers: ANSWERS,
    },
    async (request) => {
      const { fields, files } = request;
      const common = commonWish(fields, parts);
      const images = await keptImages(files, parts);
      const ground = await maskGround(files, images[0] as InputPicture, fields.mask_opens, parts);
      const size = parseSize(fields.size, limits.pixels);
      const wish: Wish = {
        ...common,
        task: "edit",
        prompt: fields.prompt,
        size: size === "auto" ? fittingSize(images[0], limits) : size,
        images: images.map(({ blob }) => blob),
        // With a mask a picture can also be drawn in by a model that was not trained to read pictures.
        readImages: ground === null || model.abilities.edit,
        ground,
        pasteBack: fields.paste_back,
      };
      return answerWish(wish, fields, "image_edit", request, parts);
    },
  );

  routes.add(
    {
      method: "post",
      path: "/v1/images/variations",
      summary: "Draw a picture anew below its upper rows",
      access: "key",
      body: { schema: variationFields, types: ["form"], files: { image: "The picture." } },
      answers: ANSWERS,
    },
    async (request) => {
      const { fields, files } = request;
      const common = commonWish(fields, parts);
      const [image, more] = await keptImages(files, parts);
      if (image === undefined || more !== undefined) {
        throw invalidRequest("Give one picture as 'image'.", { param: "image" });
      }
      const recipe = await recipeIn((files[0] as FilePart).bytes);
      const mask = await parts.store.put(await encodePng(VARIATION_MASK, nodeZlib));
      const size = parseSize(fields.size, limits.pixels);
      const wish: Wish = {
        ...common,
        task: "variation",
        prompt: fields.prompt ?? recipe?.prompt ?? "",
        size: size === "auto" ? fittingSize(image, limits) : size,
        images: [image.blob],
        readImages: false,
        ground: { kind: "mask", mask, opens: "white" },
        pasteBack: false,
      };
      return answerWish(wish, fields, "image_generation", request, parts);
    },
  );
}

function commonWish(fields: CommonFields, { model }: ServerParts) {
  checkModel(fields.model, model);
  return {
    count: fields.n,
    seed: fields.seed,
    settings: settingsOf(fields),
    think: fields.think,
    adapters: fields.adapters,
    output: outputOf(fields),
    previews: fields.stream ? fields.partial_images : 0,
  } as const;
}

/** The pictures of a form, at least one, in order. */
async function keptImages(files: readonly FilePart[], parts: ServerParts): Promise<readonly InputPicture[]> {
  const given = files.filter(({ field }) => field.startsWith("image"));
  if (given.length === 0) {
    throw invalidRequest("Missing required parameter: 'image'.", {
      param: "image",
      code: "missing_required_parameter",
    });
  }
  if (given.length > parts.limits.images) {
    throw invalidRequest(`Invalid 'image': at most ${parts.limits.images} pictures are taken.`, {
      param: "image",
      code: "array_above_max_length",
    });
  }
  // One after the other: each may be large.
  const pictures: InputPicture[] = [];
  for (const { bytes } of given) pictures.push(await keepPicture(bytes, "image", parts));
  return pictures;
}

async function maskGround(
  files: readonly FilePart[],
  image: InputPicture,
  opens: (DrawGround & { kind: "mask" })["opens"],
  parts: ServerParts,
): Promise<DrawGround | null> {
  const [file, more] = files.filter(({ field }) => field.startsWith("mask"));
  if (file === undefined) return null;
  if (more !== undefined) throw invalidRequest("Give one 'mask'.", { param: "mask" });
  const mask = await keepPicture(file.bytes, "mask", parts);
  checkMaskSize(mask, image);
  return { kind: "mask", mask: mask.blob, opens };
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
    if (isAsync) {
      const headers = {
        location: `/v1/jobs/${accepted.record.id}`,
        "preference-applied": "respond-async",
      };
      return context.json(await jobView(accepted.record, parts), 202, headers);
    }
    if (fields.stream) {
      const events = imageEvents(accepted, kind, fields.partial_images, parts, signal);
      return eventStream(events, parts.limits.pingMs, (error) => logFault(error, context, parts.log));
    }
    const { record, entries } = await finishedJob(accepted, parts, signal);
    const baseUrl = parts.site.baseUrl(context.env.incoming);
    return context.json(
      await imagesView(record, entries, { format: fields.response_format, baseUrl }, parts),
    );
  };
}

/** RFC 7240. */
function prefersAsync(header: string | undefined): boolean {
  return (header ?? "").split(",").some((part) => part.trim().toLowerCase() === "respond-async");
}
