/** @file Pictures that come with a request: looked at before they are kept, by their bytes alone. */
import sharp, { type Metadata } from "sharp";
import { pictureFormat } from "../../image/picture-format.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { PixelSize } from "../contract/draw-request.ts";
import { type ApiError, invalidRequest } from "./api-error.ts";
import type { ServerLimits } from "./limits.ts";

export interface InputPicture {
  /** Name of its bytes in the store. */
  readonly blob: string;
  /** As it is seen, turned upright. */
  readonly size: PixelSize;
}

/**
 * The size of a picture, from its header alone: nothing is decoded, however many pixels it claims to have.
 * @param param names the picture in errors
 * @throws ApiError for bytes that are no picture, or one of more pixels than are read.
 */
export async function pictureSize(
  bytes: Uint8Array,
  param: string,
  { inputPixels }: Pick<ServerLimits, "inputPixels">,
): Promise<PixelSize> {
  const refuse = (reason: string): ApiError =>
    invalidRequest(`Invalid picture in '${param}': ${reason}.`, { param, code: "invalid_image" });
  if (pictureFormat(bytes) === undefined) {
    throw refuse("it is not a PNG, JPEG, WebP, GIF, TIFF or AVIF file");
  }
  let header: Metadata;
  try {
    header = await sharp(bytes, { limitInputPixels: false, failOn: "error" }).metadata();
  } catch {
    throw refuse("it cannot be read: damaged or incomplete");
  }
  const { width, height } = header.autoOrient;
  if (width * height > inputPixels) throw refuse(`${width}x${height} is more than ${inputPixels} pixels`);
  return { width, height };
}

/** Checks a picture and puts it into the store. Throws as {@link pictureSize} does. */
export async function keepPicture(
  bytes: Uint8Array,
  param: string,
  { store, limits }: { readonly store: BlobStore; readonly limits: ServerLimits },
): Promise<InputPicture> {
  const size = await pictureSize(bytes, param, limits);
  return { blob: await store.put(bytes), size };
}

/** The size of an answer that has that of a picture, or its shape where the picture is larger than what is answered. */
export function fittingSize(
  picture: InputPicture | undefined,
  { pixels }: Pick<ServerLimits, "pixels">,
): PixelSize | "auto" {
  if (picture === undefined) return "auto";
  const { width, height } = picture.size;
  const scale = Math.sqrt(pixels / (width * height));
  if (scale >= 1) return { width, height };
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.floor(side * scale)));
  return { width: wide ?? 1, height: high ?? 1 };
}

/** @throws ApiError unless the mask lies on the image, pixel on pixel. */
export function checkMaskSize({ size: mask }: InputPicture, { size: image }: InputPicture): void {
  if (mask.width === image.width && mask.height === image.height) return;
  throw invalidRequest(
    `Invalid 'mask': its size ${mask.width}x${mask.height} is not that of the first image, ${image.width}x${image.height}.`,
    { param: "mask", code: "invalid_mask" },
  );
}
