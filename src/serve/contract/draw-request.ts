/** @file What is to be drawn, as every door of the server puts it: plain JSON with nothing left open, kept in the job. */
import { z } from "zod";
import { isSha256 } from "../../formats/json-value.ts";
import { MAX_ADAPTER_SCALE, MAX_ADAPTERS } from "../../generate/adapter-mix.ts";
import { MAX_SEED, MAX_SIDE } from "../../generate/settings.ts";

/** Name of bytes in the store: the SHA-256 of them. */
export const blobName = z.string().refine(isSha256, "is not the SHA-256 of a stored file");

const side = z.int().min(1).max(MAX_SIDE);
const size = z.strictObject({ width: side, height: side });

/** Pixels, or `auto` where the answer's size is the model's affair. */
export type PixelSize = z.infer<typeof size>;

/**
 * What is known of the picture before it is drawn.
 *
 * - `mask`: of the first image, cells that the mask does not open keep the image's own tokens.
 * - `place`: the first image stands at (left, top) of a larger canvas, in whole tokens; what it covers is kept.
 * - `rows`: the first rows of tokens of a picture of the gallery are kept: variations, and rewinding to a row.
 */
const ground = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("mask"),
    mask: blobName,
    opens: z.enum(["transparent", "white", "black"]),
  }),
  z.strictObject({ kind: z.literal("place"), left: z.int().min(0), top: z.int().min(0) }),
  z.strictObject({ kind: z.literal("rows"), picture: z.string().max(64), rows: z.int().min(0) }),
]);
export type DrawGround = z.infer<typeof ground>;

/** An adapter of those that the server was started with, by its name there. */
export const adapterChoice = z.strictObject({
  name: z.string().min(1).max(64),
  scale: z.number().min(-MAX_ADAPTER_SCALE).max(MAX_ADAPTER_SCALE),
});

export const drawRequest = z.strictObject({
  /** How metrics and the gallery call it. */
  task: z.enum(["generation", "edit", "variation"]),
  /** Of clients whose own routes tell how their requests go and end them, whichever process took them. */
  family: z.literal("a1111").optional(),
  prompt: z.string(),
  /** Pictures, with seeds `seed`, `seed + 1`, ... */
  count: z.int().min(1).max(10),
  /** Settled when the request is accepted, so that whoever draws it, and however often it is begun, draws the same. */
  seed: z.int().min(0).max(MAX_SEED),
  /** What the model draws, by the size policy. */
  native: size,
  /** What the answer has: where it is another size, pictures are resampled to it. */
  asked: size,
  /** Settings other than the model's own; checked by `pickSettings` when the request is accepted. */
  settings: z.record(z.string(), z.unknown()),
  /** Input pictures in order, as they came. */
  images: z.array(blobName).max(16),
  /** Whether the images are shown to the model, as an edit by instruction does, or only laid under the picture. */
  readImages: z.boolean(),
  ground: ground.nullable(),
  /** With a mask or a place: put the source's exact pixels back where its cells were kept. */
  pasteBack: z.boolean(),
  /** The model writes a thought first. */
  think: z.boolean(),
  /** What draws along; absent where nothing does. */
  adapters: z.array(adapterChoice).min(1).max(MAX_ADAPTERS).optional(),
  output: z.strictObject({
    format: z.enum(["png", "jpeg", "webp"]),
    /** 0 to 100, of jpeg and webp. */
    quality: z.int().min(0).max(100),
  }),
  /** Looks at the unfinished pictures, spread evenly over the rows; `rows`: one a row of tokens. */
  previews: z.union([z.int().min(0).max(3), z.literal("rows")]),
});
export type DrawRequest = z.infer<typeof drawRequest>;
