/** @file Kinds `t2i` and `edit`: whole pictures from prompts, with injected noise (docs/nextstep-spec.md 3.1, 3.2). */

import { join } from "node:path";
import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { readImage } from "../../../src/files/decode-image.ts";
import { Canvas } from "../../../src/generate/canvas.ts";
import { CFG_SCHEDULES, type CfgSchedule, guidanceAt } from "../../../src/generate/guidance.ts";
import { decodePicture, encodePicture, pixelsPerToken } from "../../../src/generate/image-coder.ts";
import type { ModelSessions } from "../../../src/generate/model-sessions.ts";
import { promptTokenRows } from "../../../src/generate/prompt-rows.ts";
import { SharedLoop } from "../../../src/generate/shared-loop.ts";
import { Slot } from "../../../src/generate/slot.ts";
import { noiseDraws, type SamplerName } from "../../../src/generate/solvers.ts";
import type { TokenRow } from "../../../src/generate/token-feeds.ts";
import { injectedNoise } from "../../../src/generate/token-noise.ts";
import { type ImageSize, toPlanes } from "../../../src/image/pixels.ts";
import { tokenWidth } from "../../../src/model/config.ts";
import { buildPromptRows, type Prompt } from "../../../src/sequence/prompt.ts";
import { joinedFloats } from "../../../src/tensor/joined.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";
import { promptCode } from "./prompts-case.ts";
import { publishedSampler } from "./published-sampler.ts";
import { safeFileName } from "./vae-case.ts";

const settingFields = z.looseObject({
  captions: z.union([z.array(z.string()), z.string().transform((caption) => [caption])]),
  // Defaults as published (docs/nextstep-spec.md 3.7).
  num_images_per_caption: z.int().positive().default(1),
  positive: z.string().nullable().default(null),
  negative: z.string().nullable().default(null),
  hw: z.tuple([z.int(), z.int()]).default([256, 256]),
  use_norm: z.boolean().default(false),
  cfg: z.number().default(1),
  cfg_img: z.number().default(1),
  cfg_schedule: z.string().default("constant"),
  shift: z.number().default(1),
  steps: z.int().positive().default(20),
  sampler: z.string().optional(),
  noise_level: z.number().optional(),
});
type Settings = z.infer<typeof settingFields>;

const fields = z.looseObject({
  images: z.array(z.string()).nullish(),
  settings: settingFields,
  branches: z.int().optional(),
});

/** An input image as the model gets it. */
interface InputImage {
  readonly size: ImageSize;
  /** [3, H, W] */
  readonly planes: Float32Array;
}

export async function runPictureCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { images: files, settings, branches } = parseFields(fields, test.json, test.name);
  const sessions = await context.sessions(test.model);
  const { release } = sessions.folder;
  // Each release's own code drew with its own sampler.
  const published = settings.sampler ?? (release === "v1" ? "P-A" : "P-B");
  const images = files == null ? null : await readImages(test, check, files);
  const prompt = buildPromptRows(await context.tokenizer(test.model), {
    captions: settings.captions,
    images: images?.map(({ size }) => size) ?? null,
    imagesPerCaption: settings.num_images_per_caption,
    positive: settings.positive,
    negative: settings.negative,
    size: settings.hw,
    cfg: settings.cfg,
    cfgImg: settings.cfg_img,
    code: promptCode(published),
    pixelsPerToken: pixelsPerToken(sessions),
  });
  if (branches !== undefined) check.equal("branches", prompt.branches, branches);
  await comparePrompt(check, prompt);
  const encoded = await compareInputs(check, sessions, prompt, images ?? []);
  await compareDrawing(check, sessions, prompt, settings, publishedSampler(published), encoded);
}

/** Pictures beside the case. One that does not have the size of the goldens' pixels was resized on the way there. */
async function readImages(
  test: ParityCase,
  check: CaseCheck,
  files: readonly string[],
): Promise<InputImage[]> {
  const [, , height, width] = check.has("input_pixels") ? check.shapeOf("input_pixels") : [];
  const images: InputImage[] = [];
  for (const file of files) {
    const picture = await readImage(join(test.folder, safeFileName(file, test.name)));
    if ((height ?? picture.height) !== picture.height || (width ?? picture.width) !== picture.width) {
      throw new DataFormatError(
        `is ${picture.height} x ${picture.width}, but the goldens start from ${height} x ${width}`,
        { where: file },
      );
    }
    images.push({ size: [picture.height, picture.width], planes: toPlanes(picture) });
  }
  return images;
}

async function comparePrompt(check: CaseCheck, prompt: Prompt): Promise<void> {
  const shape = [prompt.rows.length, prompt.inputIds[0]?.length ?? 0];
  for (const [name, rows] of [
    ["input_ids", prompt.inputIds],
    ["attention_mask", prompt.attentionMask],
  ] as const) {
    await check.compare(name, { shape, data: rows.flat() });
  }
}

/** Encodes each image once; the goldens hold one for every place in the rows. Returns tokens [h * w, 64] of each. */
async function compareInputs(
  check: CaseCheck,
  sessions: ModelSessions,
  prompt: Prompt,
  images: readonly InputImage[],
): Promise<Float32Array[]> {
  const encoded = [];
  for (const { planes, size } of images) encoded.push(await encodePicture(sessions, planes, size));
  const places = prompt.rows.flatMap((row) => row.images.map(({ image }) => image));
  for (const [name, values] of [
    ["input_pixels", images.map(({ planes }) => planes)],
    ["input_latents", encoded.map(({ latents }) => latents)],
  ] as const) {
    if (!check.has(name)) continue;
    const [, ...one] = check.shapeOf(name);
    const data = joinedFloats(places.map((image) => values[image] ?? new Float32Array(0)));
    await check.compare(name, { shape: [places.length, ...one], data });
  }
  return encoded.map(({ tokens }) => tokens);
}

async function compareDrawing(
  check: CaseCheck,
  sessions: ModelSessions,
  prompt: Prompt,
  settings: Settings,
  sampler: SamplerName,
  encoded: readonly Float32Array[],
): Promise<void> {
  const { config } = sessions.folder;
  const { pictures, grid } = prompt;
  const count = grid[0] * grid[1];
  const width = tokenWidth(config);
  const rows = prompt.rows.length;
  const guidance = { cfg: settings.cfg, cfgImg: settings.cfg_img, schedule: scheduleOf(settings, sampler) };
  const scales = Array.from({ length: count }, (_, token) => guidanceAt(guidance, sampler, token, count));
  await check.compare("guidance", {
    shape: [count, 2],
    data: scales.flatMap(({ cfg, cfgImg }) => [cfg, cfgImg]),
  });
  const { steps, shift, noise_level: noiseLevel } = settings;
  const noise = injectedNoise(
    { data: await check.floats("noise"), shape: check.shapeOf("noise") },
    { pictures, tokens: count, draws: noiseDraws(sampler, steps), width },
  );
  const tokens = new Float32Array(pictures * count * width);
  const conditions = new Float32Array(rows * count * config.hiddenSize);
  const published = withPublishedPositions(prompt, promptTokenRows(prompt, encoded));
  const slots = noise.map(
    (own, picture) =>
      new Slot({
        rows: published.filter((_, row) => row % pictures === picture),
        canvas: new Canvas(grid, width),
        sampler,
        solver: { steps, shift, ...(noiseLevel === undefined ? {} : { noiseLevel }) },
        guidance,
        noise: own,
        useNorm: settings.use_norm,
        name: `picture ${picture + 1}`,
      }),
  );
  for await (const events of new SharedLoop(sessions).draw(slots)) {
    for (const { slot, cell, token, conditions: told } of events) {
      const picture = slots.indexOf(slot);
      tokens.set(token, (picture * count + cell) * width);
      for (let branch = 0; branch < prompt.branches; branch++) {
        const row = branch * pictures + picture;
        const own = told.subarray(branch * config.hiddenSize, (branch + 1) * config.hiddenSize);
        conditions.set(own, (row * count + cell) * config.hiddenSize);
      }
    }
  }
  await check.compare("conditions", { shape: [rows, count, config.hiddenSize], data: conditions });
  await check.compare("tokens", { shape: [pictures, count, width], data: tokens });

  const decoded = [];
  for (let picture = 0; picture < pictures; picture++) {
    const own = tokens.subarray(picture * count * width, (picture + 1) * count * width);
    decoded.push(await decodePicture(sessions, own, grid));
  }
  const side = pixelsPerToken(sessions);
  const [height, columns] = [grid[0] * side, grid[1] * side];
  const { latentChannels, latentPatchSize: patch } = config;
  await check.compare("latents", {
    shape: [pictures, latentChannels, grid[0] * patch, grid[1] * patch],
    data: joinedFloats(decoded.map(({ latents }) => latents)),
  });
  await check.compare("image", {
    shape: [pictures, 3, height, columns],
    data: joinedFloats(decoded.map(({ planes }) => planes)),
  });
  await check.compare("image_u8", {
    shape: [pictures, height, columns, 3],
    data: Uint8Array.from(decoded.flatMap(({ pixels }) => [...pixels.data])),
  });
}

/**
 * The goldens count positions over the padding in front of a row. Equal rows stay one object, as those who read them
 * once expect.
 */
function withPublishedPositions(prompt: Prompt, rows: readonly TokenRow[]): TokenRow[] {
  const longest = prompt.inputIds[0]?.length ?? 0;
  const moved = new Map(rows.map((row) => [row, { ...row, position: longest - row.ids.length }]));
  return rows.map((row) => moved.get(row) ?? row);
}

/** The later code takes any word but `linear` for constant. */
function scheduleOf({ cfg_schedule: name }: Settings, sampler: SamplerName): CfgSchedule {
  const known = CFG_SCHEDULES.find((schedule) => schedule === name);
  if (known !== undefined) return known;
  if (sampler !== "v1") return "constant";
  throw new DataFormatError(`"${name}" is not a guidance schedule`, { where: "cfg_schedule" });
}
