/** @file A request becomes what the library is asked for: pictures fitted, cells kept, and what is pasted back in the end. */
import { InputError } from "../../errors.ts";
import type { DrawOptions } from "../../generate/draw-options.ts";
import type { KeptTokens } from "../../generate/keep.ts";
import type { Model } from "../../generate/model.ts";
import { chooseBucket } from "../../image/aspect-buckets.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { resample } from "../../image/resample.ts";
import { stretch } from "../../image/resize.ts";
import { floatsOf } from "../../tensor/float-bytes.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { DrawGround, DrawRequest, PixelSize } from "../contract/draw-request.ts";
import type { Gallery } from "../contract/gallery.ts";
import { readMask, readPicture } from "./input-picture.ts";
import { openCells } from "./mask-cells.ts";
import type { PasteBack } from "./paste-back.ts";
import { stretched } from "./picture-file.ts";
import { placementOf } from "./placement.ts";

/** Where a request's pictures come from. */
export interface Sources {
  readonly blobs: BlobStore;
  readonly gallery: Pick<Gallery, "get">;
}

export type DrawnModel = Pick<Model, "encode" | "pixelsPerToken" | "size">;

/**
 * What {@link Model.start} is told.
 *
 * The first image is stretched (bicubic, as published editing does) to the size that is drawn, so that what it shows and what
 * is drawn lie on each other; others, and one that is placed on a canvas, to the bucket of the model's own size that is nearest
 * in shape. Cells that a mask does not open, or that a placed picture covers whole, keep the tokens of the picture there.
 * @throws InputError or DataFormatError naming the request's field; StorageError; AbortedError
 */
export async function drawOptionsOf(
  request: DrawRequest,
  model: DrawnModel,
  sources: Sources,
  signal: AbortSignal,
): Promise<DrawOptions> {
  const { native, count, seed, settings, think, adapters } = request;
  const keep = await keptTokens(request, model, sources, signal);
  const images = request.readImages ? await shownImages(request, model, sources) : [];
  return {
    ...settings,
    seed,
    count,
    size: native,
    signal,
    ...(think ? { think } : {}),
    ...(adapters === undefined ? {} : { adapters }),
    ...(keep === undefined ? {} : { keep }),
    ...(images.length === 0 ? {} : { images }),
  };
}

/** What is pasted back into the answer; undefined for nothing. Throws as {@link drawOptionsOf} does. */
export async function pasteBackOf(
  request: DrawRequest,
  model: DrawnModel,
  { blobs }: Sources,
): Promise<PasteBack | undefined> {
  const { ground, asked } = request;
  if (!request.pasteBack || ground === null || ground.kind === "rows") return undefined;
  const source = await firstImage(request, blobs);
  if (ground.kind === "place") {
    const { left, top } = placement(request, ground, source, model);
    return { kind: "place", source, left, top };
  }
  const mask = await readMask(blobs, ground.mask, ground.opens, "mask");
  return { kind: "mask", source: await stretched(source, asked), open: openCells(mask, asked) };
}

async function shownImages(
  { images, native, ground }: DrawRequest,
  { size: [side], pixelsPerToken }: DrawnModel,
  { blobs }: Sources,
): Promise<RgbImage[]> {
  const shown: RgbImage[] = [];
  // One after the other: each may be large.
  for (const [index, blob] of images.entries()) {
    const image = await readPicture(blobs, blob, `images[${index}]`);
    const isDrawnOn = index === 0 && ground?.kind !== "place";
    const target = isDrawnOn
      ? ([native.height, native.width] as const)
      : chooseBucket([image.height, image.width], side, pixelsPerToken).gridPixels;
    shown.push(stretch(image, target, "bicubic"));
  }
  return shown;
}

async function keptTokens(
  request: DrawRequest,
  model: DrawnModel,
  sources: Sources,
  signal: AbortSignal,
): Promise<KeptTokens | undefined> {
  const { ground } = request;
  switch (ground?.kind) {
    case undefined:
      return undefined;
    case "mask":
      return maskedTokens(request, ground, model, sources, signal);
    case "place":
      return placedTokens(request, ground, model, sources, signal);
    case "rows":
      return firstRows(request, ground, model, sources);
  }
}

async function maskedTokens(
  request: DrawRequest,
  { mask: blob, opens }: Extract<DrawGround, { kind: "mask" }>,
  model: DrawnModel,
  { blobs }: Sources,
  signal: AbortSignal,
): Promise<KeptTokens> {
  const { native, count } = request;
  const grid = gridOf(native, model);
  const open = openCells(await readMask(blobs, blob, opens, "mask"), grid);
  if (!open.includes(1)) {
    throw new InputError("opens nothing", {
      where: "mask",
      remedy: `its ${opens} pixels are what is drawn: make some ${opens}, or say which are (mask_opens)`,
    });
  }
  const source = stretch(await firstImage(request, blobs), [native.height, native.width], "bicubic");
  const { tokens } = await model.encode(source, { signal });
  return repeated(
    tokens,
    open.map((isOpen) => 1 - isOpen),
    count,
  );
}

async function placedTokens(
  request: DrawRequest,
  ground: Extract<DrawGround, { kind: "place" }>,
  model: DrawnModel,
  { blobs }: Sources,
  signal: AbortSignal,
): Promise<KeptTokens> {
  const { native, count } = request;
  const source = await firstImage(request, blobs);
  const { stretched: size, window, rows, columns } = placement(request, ground, source, model);
  // Encoded by itself: what stood around it would change its tokens.
  const covered = resample(source, [size.height, size.width], "bicubic", window);
  const { tokens } = await model.encode(covered, { signal });
  const grid = gridOf(native, model);
  const cells = grid.width * grid.height;
  const across = columns[1] - columns[0];
  const width = tokens.length / (across * (rows[1] - rows[0]));
  const data = new Float32Array(cells * width);
  const kept = new Uint8Array(cells);
  for (let row = rows[0]; row < rows[1]; row++) {
    const cell = row * grid.width + columns[0];
    const from = (row - rows[0]) * across * width;
    data.set(tokens.subarray(from, from + across * width), cell * width);
    kept.fill(1, cell, cell + across);
  }
  return repeated(data, kept, count);
}

async function firstRows(
  { native, count }: DrawRequest,
  { picture, rows }: Extract<DrawGround, { kind: "rows" }>,
  model: DrawnModel,
  { blobs, gallery }: Sources,
): Promise<KeptTokens | undefined> {
  const refuse = (reason: string, remedy: string): InputError =>
    new InputError(reason, { where: "from", remedy });
  const entry = await gallery.get(picture);
  const bytes = entry && (await blobs.get(entry.tokens));
  if (entry === undefined || bytes === undefined) {
    throw refuse("is not in the gallery any more", "choose another picture");
  }
  const { width, height } = entry.recipe;
  if (width !== native.width || height !== native.height) {
    throw refuse(
      `was drawn in ${width}x${height}, and this is to be drawn in ${native.width}x${native.height}`,
      "ask for the same size",
    );
  }
  const grid = gridOf(native, model);
  if (rows > grid.height) throw refuse(`has ${grid.height} rows, not ${rows}`, "keep fewer");
  if (rows === 0) return undefined;
  const tokens = floatsOf(bytes);
  const each = tokens.length / grid.height;
  return repeated(tokens.subarray(0, rows * each), undefined, count, rows * grid.width);
}

/** The same for each picture. mask [cells] */
function repeated(
  tokens: Float32Array,
  mask: Uint8Array | undefined,
  count: number,
  cells = mask?.length ?? 0,
): KeptTokens {
  const data = new Float32Array(count * tokens.length);
  const masks = new Uint8Array(count * (mask?.length ?? 0));
  for (let picture = 0; picture < count; picture++) {
    data.set(tokens, picture * tokens.length);
    if (mask !== undefined) masks.set(mask, picture * mask.length);
  }
  const shape = [count, cells, tokens.length / cells] as const;
  return mask === undefined ? { data, shape } : { data, shape, mask: masks };
}

async function firstImage({ images }: DrawRequest, blobs: BlobStore): Promise<RgbImage> {
  const [first] = images;
  if (first === undefined) {
    throw new InputError("has no picture", { where: "images", remedy: "give the picture that it is of" });
  }
  return readPicture(blobs, first, "images[0]");
}

function placement(
  { asked, native }: DrawRequest,
  at: Extract<DrawGround, { kind: "place" }>,
  picture: PixelSize,
  { pixelsPerToken: tokenSide }: DrawnModel,
): ReturnType<typeof placementOf> {
  return placementOf({ picture, at, asked, native, tokenSide });
}

function gridOf({ width, height }: PixelSize, { pixelsPerToken: side }: DrawnModel): PixelSize {
  return { width: width / side, height: height / side };
}
