/** @file Routes of the AUTOMATIC1111 family, for clients that speak nothing else. */
import { z } from "zod";
import { SAMPLER_NAMES } from "../../generate/solvers.ts";
import type { DrawGround } from "../contract/draw-request.ts";
import type { JobRecord } from "../contract/job.ts";
import {
  type CommonFields,
  checkOptions,
  decodedPicture,
  img2imgFields,
  refuseFeatures,
  SAMPLER_ALIASES,
  SCHEDULER,
  samplerOf,
  txt2imgFields,
} from "./a1111-fields.ts";
import { infoText } from "./a1111-info.ts";
import { progressSchema, progressView } from "./a1111-progress.ts";
import { base64Of } from "./image-answer.ts";
import { checkMaskSize, fittingSize, type InputPicture, keepPicture } from "./input-picture.ts";
import type { CheckedRequest, Routes } from "./routes.ts";
import { modelNames } from "./served-models.ts";
import type { ServerParts } from "./server-parts.ts";
import type { Wish } from "./settle-request.ts";
import { boundedSize } from "./size-field.ts";
import { finishedJob, submitJob } from "./submit-job.ts";

const imagesSchema = z
  .object({
    images: z.array(z.string()),
    parameters: z.record(z.string(), z.unknown()),
    info: z.string().meta({ description: "JSON." }),
  })
  .meta({ id: "SdImages" });

const anyObject = z.looseObject({});

export function addA1111Routes(routes: Routes, parts: ServerParts): void {
  const { queue, model, limits, version } = parts;

  const answer = async (
    wish: Wish,
    fields: CommonFields,
    notes: readonly string[],
    { context, signal }: Pick<CheckedRequest<z.ZodObject, z.ZodObject>, "context" | "signal">,
  ): Promise<() => Promise<Response>> => {
    const accepted = await submitJob(wish, context, parts, true);
    return async () => {
      const { record, entries } = await finishedJob(accepted, parts, signal);
      const images = fields.send_images ? entries.map(({ blob }) => base64Of(blob, parts)) : [];
      return context.json({
        images: await Promise.all(images),
        parameters: shownParameters(fields, record),
        info: infoText(entries, { version, notes }),
      });
    };
  };

  routes.add(
    {
      method: "post",
      path: "/sdapi/v1/txt2img",
      summary: "Draw pictures (AUTOMATIC1111)",
      access: "key",
      body: { schema: txt2imgFields, types: ["json"] },
      answers: { 200: { description: "The pictures in base64.", schema: imagesSchema } },
    },
    (request) => {
      const { fields } = request;
      const wish: Wish = {
        ...commonWish(fields, parts),
        task: "generation",
        size: askedSize(fields, model.size, limits.pixels),
        images: [],
        readImages: false,
        ground: null,
        pasteBack: false,
      };
      return answer(wish, fields, [], request);
    },
  );

  routes.add(
    {
      method: "post",
      path: "/sdapi/v1/img2img",
      summary: "Edit pictures (AUTOMATIC1111)",
      access: "key",
      body: { schema: img2imgFields, types: ["json"], large: true },
      answers: { 200: { description: "The pictures in base64.", schema: imagesSchema } },
    },
    async (request) => {
      const { fields } = request;
      const { image_cfg_scale: cfgImg } = fields;
      const common = commonWish(fields, parts);
      const images: InputPicture[] = [];
      for (const [index, text] of fields.init_images.entries()) {
        const param = `init_images[${index}]`;
        images.push(await keepPicture(decodedPicture(text, param), param, parts));
      }
      const [first] = images as [InputPicture];
      let ground: DrawGround | null = null;
      if (fields.mask !== undefined) {
        const mask = await keepPicture(decodedPicture(fields.mask, "mask"), "mask", parts);
        checkMaskSize(mask, first);
        const opens = Number(fields.inpainting_mask_invert) === 0 ? "white" : "black";
        ground = { kind: "mask", mask: mask.blob, opens };
      }
      const own = fittingSize(first, limits);
      const wish: Wish = {
        ...common,
        settings: { ...common.settings, ...(cfgImg === undefined ? {} : { cfgImg }) },
        task: "edit",
        size: askedSize(fields, own === "auto" ? model.size : own, limits.pixels, own),
        images: images.map(({ blob }) => blob),
        readImages: ground === null || model.abilities.edit,
        ground,
        pasteBack: ground !== null,
      };
      const notes =
        fields.denoising_strength === undefined
          ? []
          : ["denoising_strength has no counterpart: what is drawn, is drawn anew"];
      return answer(wish, fields, notes, request);
    },
  );

  routes.add(
    {
      method: "get",
      path: "/sdapi/v1/progress",
      summary: "How far the first of this family's requests is (AUTOMATIC1111)",
      access: "key",
      query: z.strictObject({ skip_current_image: z.boolean().optional() }),
      answers: { 200: { description: "Progress.", schema: progressSchema } },
    },
    async ({ context, query }) => {
      const records = await familyJobs(queue, context.get("owner"));
      const record = records.find(({ status }) => status === "drawing") ?? records[0];
      const blob = query.skip_current_image === true ? undefined : record?.preview?.blobs[0];
      const image = blob === undefined ? undefined : await parts.store.get(blob);
      return context.json(progressView(record, records.length, image));
    },
  );

  routes.add(
    {
      method: "post",
      path: "/sdapi/v1/interrupt",
      summary: "Cancel this family's requests that are under way (AUTOMATIC1111)",
      access: "key",
      answers: { 200: { description: "Done.", schema: z.object({}) } },
    },
    async ({ context }) => {
      const records = await familyJobs(queue, context.get("owner"));
      await Promise.all(records.map(({ id }) => queue.cancel(id)));
      return context.json({});
    },
  );

  const optionsView = () => ({
    sd_model_checkpoint: model.id,
    samples_format: "png",
    CLIP_stop_at_last_layers: 1,
  });
  routes.add(
    {
      method: "get",
      path: "/sdapi/v1/options",
      summary: "Options (AUTOMATIC1111)",
      access: "key",
      answers: { 200: { description: "Options.", schema: anyObject } },
    },
    ({ context }) => context.json(optionsView()),
  );
  routes.add(
    {
      method: "post",
      path: "/sdapi/v1/options",
      summary: "Set options (AUTOMATIC1111): takes the served model, refuses what it cannot do",
      access: "key",
      body: { schema: anyObject, types: ["json"] },
      answers: { 200: { description: "Taken.", schema: z.object({}) } },
    },
    ({ context, fields }) => {
      checkOptions(fields, model);
      return context.json({});
    },
  );

  routes.add(
    {
      method: "get",
      path: "/sdapi/v1/sd-models",
      summary: "The served model and its names (AUTOMATIC1111)",
      access: "key",
      answers: { 200: { description: "Models.", schema: z.array(anyObject) } },
    },
    ({ context }) =>
      context.json(
        modelNames(model).map((name) => ({
          title: name,
          model_name: name,
          hash: null,
          sha256: null,
          filename: model.id,
          config: null,
        })),
      ),
  );

  routes.add(
    {
      method: "get",
      path: "/sdapi/v1/samplers",
      summary: "Samplers (AUTOMATIC1111)",
      access: "key",
      answers: { 200: { description: "Samplers.", schema: z.array(anyObject) } },
    },
    ({ context }) =>
      context.json(
        SAMPLER_NAMES.map((name) => ({ name, aliases: [...(SAMPLER_ALIASES[name] ?? [])], options: {} })),
      ),
  );

  routes.add(
    {
      method: "get",
      path: "/sdapi/v1/schedulers",
      summary: "Schedulers (AUTOMATIC1111)",
      access: "key",
      answers: { 200: { description: "Schedulers.", schema: z.array(anyObject) } },
    },
    ({ context }) =>
      context.json([
        {
          name: SCHEDULER,
          label: "Constant shift",
          aliases: ["Automatic"],
          default_rho: -1,
          need_inner_model: false,
        },
      ]),
  );
}

const PAGE = 100;

/** Jobs of this family that have not ended, oldest first, whichever process took them and draws them. */
async function familyJobs(queue: ServerParts["queue"], owner: string | null): Promise<readonly JobRecord[]> {
  const found: JobRecord[] = [];
  const filter = {
    statuses: ["queued", "drawing"],
    limit: PAGE,
    ...(owner === null ? {} : { owner }),
  } as const;
  for (let page = await queue.list(filter); page.length > 0; ) {
    found.push(...page.filter(({ request }) => request.family === "a1111"));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    page = await queue.list({ ...filter, before: last.id });
  }
  return found.toReversed();
}

function commonWish(fields: CommonFields, { model }: ServerParts) {
  refuseFeatures(fields);
  checkOptions(fields.override_settings, model);
  const { negative_prompt: negative, steps, cfg_scale: cfg, seed } = fields;
  const sampler = samplerOf(fields);
  return {
    family: "a1111",
    prompt: fields.prompt,
    count: fields.batch_size * fields.n_iter,
    seed: seed < 0 ? undefined : seed,
    settings: {
      // An empty one is what its clients send where nothing was written: the model's own is better.
      ...(negative === undefined || negative === "" ? {} : { negative }),
      ...(steps === undefined ? {} : { steps }),
      ...(cfg === undefined ? {} : { cfg }),
      ...(sampler === undefined ? {} : { sampler }),
    },
    think: false,
    output: { format: "png", quality: 100 },
    previews: 3,
  } as const;
}

/** @param own of the side that is left out; `auto` where both are */
function askedSize(
  { width, height }: CommonFields,
  own: { readonly width: number; readonly height: number },
  maxPixels: number,
  auto: Wish["size"] = "auto",
): Wish["size"] {
  if (width === undefined && height === undefined) return auto;
  return boundedSize({ width: width ?? own.width, height: height ?? own.height }, maxPixels);
}

/** What was drawn with, by the names of the request; pictures that came with it are left out. */
function shownParameters(fields: CommonFields, { request }: JobRecord): Record<string, unknown> {
  const { init_images: _images, mask: _mask, ...given } = fields as CommonFields & Record<string, unknown>;
  return { ...given, seed: request.seed, width: request.asked.width, height: request.asked.height };
}
