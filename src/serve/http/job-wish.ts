/** @file What a native request asks for: the fields of generations, and all that pictures can be made from. */
import { z } from "zod";
import { blobName, type DrawGround } from "../contract/draw-request.ts";
import type { GalleryEntry } from "../contract/gallery.ts";
import { invalidRequest, notFound } from "./api-error.ts";
import { ownEntry } from "./gallery-view.ts";
import { HARMLESS_FIELDS, MASK_FIELDS, outputOf, PICTURE_FIELDS, previewsField } from "./image-fields.ts";
import { checkMaskSize, fittingSize, type InputPicture, keepPicture, pictureSize } from "./input-picture.ts";
import type { FilePart } from "./request-body.ts";
import { checkModel } from "./served-models.ts";
import type { ServerParts } from "./server-parts.ts";
import { settingsOf } from "./setting-fields.ts";
import { refuseOtherSize, type Wish } from "./settle-request.ts";
import { parseSize } from "./size-field.ts";

const pictureId = z.string().min(1).max(64);

const jobImage = z
  .union([blobName, z.strictObject({ picture: pictureId })])
  .meta({ description: "The name of an upload, or a picture of the gallery." });

export const jobFields = z.strictObject({
  ...PICTURE_FIELDS,
  ...HARMLESS_FIELDS,
  prompt: PICTURE_FIELDS.prompt.optional().meta({
    description: "Default with `from` and `repeat`: that picture's.",
  }),
  task: z.enum(["generation", "edit", "variation"]).optional().meta({
    description: "How metrics and the gallery call it. Default: by what is given.",
  }),
  images: z.array(jobImage).max(16).default([]),
  mask: blobName.optional().meta({ description: "Of the first image: which part is drawn anew." }),
  place: z
    .strictObject({ left: z.int().min(0), top: z.int().min(0) })
    .optional()
    .meta({
      description: "The first image stands there, in pixels, on the canvas `size`; the rest is drawn.",
    }),
  from: z
    .strictObject({ picture: pictureId, rows: z.int().min(0) })
    .optional()
    .meta({
      description: "The first rows of tokens of a picture are kept; what is left out is as it was there.",
    }),
  repeat: z.strictObject({ picture: pictureId }).optional().meta({
    description:
      "Draws a picture once more, from all that it was drawn from; what is left out is as it was there.",
  }),
  ...MASK_FIELDS,
  // What is left out is as it was, where a picture is repeated.
  paste_back: leftOpen(MASK_FIELDS.paste_back),
  think: leftOpen(PICTURE_FIELDS.think),
  adapters: leftOpen(PICTURE_FIELDS.adapters),
  output_format: leftOpen(PICTURE_FIELDS.output_format),
  output_compression: leftOpen(PICTURE_FIELDS.output_compression),
  previews: previewsField,
});

/** A field whose default is not filled in, but told. */
function leftOpen<Field extends z.core.$ZodType>(field: z.ZodDefault<Field>): z.ZodOptional<Field> {
  const { description } = field.meta() ?? {};
  const told = [description, `Default: ${JSON.stringify(field.def.defaultValue)}.`];
  return z.optional(field.def.innerType).meta({ description: told.filter(Boolean).join(" ") });
}

export const jobFileFields = { image: "Pictures, instead of `images`.", mask: "The mask itself." };

type JobFields = z.output<typeof jobFields>;

/** @throws ApiError for what does not fit, or is not there. */
export async function jobWish(
  fields: JobFields,
  files: readonly FilePart[],
  parts: ServerParts,
  owner: string | null,
): Promise<Wish> {
  checkModel(fields.model, parts.model);
  const { mask, place, from, repeat } = fields;
  const grounds = Object.entries({ mask, place, from, repeat }).filter(([, value]) => value !== undefined);
  if (grounds.length > 1) {
    const [one, other] = grounds.map(([name]) => name);
    throw invalidRequest(`'${one}' and '${other}' exclude each other.`, { param: other ?? null });
  }
  const common = {
    count: fields.n,
    seed: fields.seed,
    settings: settingsOf(fields),
    pasteBack: fields.paste_back ?? true,
    think: fields.think ?? false,
    adapters: fields.adapters ?? [],
    output: outputOf(fields),
    previews: fields.previews,
  };
  const size = parseSize(fields.size, parts.limits.pixels);
  const earlier = from ?? repeat;
  if (earlier !== undefined) {
    const entry = await ownEntry(parts, earlier.picture, owner);
    if (entry === undefined) throw notFound("picture", earlier.picture);
    const name = from === undefined ? "repeat" : "from";
    if (fields.images.length + files.length > 0) {
      throw invalidRequest(`'${name}' and pictures exclude each other.`, { param: "images" });
    }
    refuseOtherSize(size, entry.request.asked, "the size of that picture");
    const as = { ...common, ...asBefore(entry, fields, common.settings) };
    return from === undefined ? { ...as, ...onceMore(entry, fields) } : { ...as, ...fromRow(from, fields) };
  }
  const prompt = fields.prompt;
  if (prompt === undefined) {
    throw invalidRequest("Missing required parameter: 'prompt'.", {
      param: "prompt",
      code: "missing_required_parameter",
    });
  }
  const images = await inputPictures(fields.images, files, parts, owner);
  const ground = await groundOf(fields, files, images, parts);
  return {
    ...common,
    prompt,
    task: fields.task ?? (images.length === 0 ? "generation" : "edit"),
    size: size === "auto" && place === undefined ? fittingSize(images[0], parts.limits) : size,
    images: images.map(({ blob }) => blob),
    readImages:
      images.length > 0 && (ground === null || (ground.kind === "mask" && parts.model.abilities.edit)),
    ground,
  };
}

/** What is not said is as it was in a picture of the gallery. */
function asBefore(
  { request }: GalleryEntry,
  fields: JobFields,
  settings: Wish["settings"],
): Pick<Wish, "prompt" | "size" | "native" | "settings" | "images" | "readImages" | "adapters"> {
  const { asked, native, images, readImages } = request;
  return {
    prompt: fields.prompt ?? request.prompt,
    size: asked,
    native,
    settings: { ...request.settings, ...settings },
    adapters: fields.adapters ?? request.adapters ?? [],
    images,
    readImages,
  };
}

/** Drawn on from a row. */
function fromRow(from: NonNullable<JobFields["from"]>, fields: JobFields): Pick<Wish, "task" | "ground"> {
  return { task: fields.task ?? "variation", ground: { ...from, kind: "rows" } };
}

/** All that a picture was drawn from is named by it, and there as long as it is. */
function onceMore(
  { id, request, recipe }: GalleryEntry,
  fields: JobFields,
): Pick<Wish, "task" | "seed" | "ground" | "pasteBack" | "think" | "output"> {
  const { ground, output } = request;
  return {
    task: fields.task ?? request.task,
    seed: fields.seed ?? recipe.seed,
    // The picture whose rows it kept may be gone: its own first rows are the same.
    ground: ground?.kind === "rows" ? { ...ground, picture: id } : ground,
    pasteBack: fields.paste_back ?? request.pasteBack,
    think: fields.think ?? request.think,
    output: {
      format: fields.output_format ?? output.format,
      quality: fields.output_compression ?? output.quality,
    },
  };
}

async function inputPictures(
  named: JobFields["images"],
  files: readonly FilePart[],
  parts: ServerParts,
  owner: string | null,
): Promise<readonly InputPicture[]> {
  const given = files.filter(({ field }) => field.startsWith("image"));
  if (named.length + given.length > parts.limits.images) {
    throw invalidRequest(`Invalid 'images': at most ${parts.limits.images} pictures are taken.`, {
      param: "images",
      code: "array_above_max_length",
    });
  }
  // One after the other: each may be large.
  const pictures: InputPicture[] = [];
  for (const [index, image] of named.entries()) {
    pictures.push(await namedPicture(image, `images[${index}]`, parts, owner));
  }
  for (const { bytes } of given) pictures.push(await keepPicture(bytes, "image", parts));
  return pictures;
}

async function namedPicture(
  image: JobFields["images"][number],
  param: string,
  parts: ServerParts,
  owner: string | null,
): Promise<InputPicture> {
  if (typeof image === "string") return uploaded(image, param, parts);
  const entry = await ownEntry(parts, image.picture, owner);
  if (entry === undefined) throw notFound("picture", image.picture);
  return { blob: entry.blob, size: { width: entry.width, height: entry.height } };
}

async function uploaded(blob: string, param: string, { store, limits }: ServerParts): Promise<InputPicture> {
  const bytes = await store.get(blob);
  if (bytes === undefined) {
    throw invalidRequest(`Invalid '${param}': there is no such upload, or it is there no more.`, {
      param,
      code: "upload_not_found",
    });
  }
  return { blob, size: await pictureSize(bytes, param, limits) };
}

async function groundOf(
  { mask, mask_opens: opens, place }: JobFields,
  files: readonly FilePart[],
  images: readonly InputPicture[],
  parts: ServerParts,
): Promise<DrawGround | null> {
  const file = files.find(({ field }) => field === "mask" || field === "mask[]");
  if (mask === undefined && file === undefined && place === undefined) return null;
  const [first] = images;
  if (first === undefined) {
    const param = place === undefined ? "mask" : "place";
    throw invalidRequest(`'${param}' is of an image, and there is none.`, { param });
  }
  if (place !== undefined) {
    const { tokenSide } = parts.model;
    const [left, top] = [place.left, place.top].map((pixels) => pixels / tokenSide) as [number, number];
    if (!(Number.isInteger(left) && Number.isInteger(top))) {
      throw invalidRequest(`Invalid 'place': both are whole multiples of ${tokenSide} pixels.`, {
        param: "place",
      });
    }
    return { kind: "place", left, top };
  }
  const given =
    file === undefined
      ? await uploaded(mask ?? "", "mask", parts)
      : await keepPicture(file.bytes, "mask", parts);
  checkMaskSize(given, first);
  return { kind: "mask", mask: given.blob, opens };
}
