/** @file Pictures that are given to the model: read, brought to a size it takes, and turned into image tokens. */
import { InputError } from "../errors.ts";
import { chooseBucket } from "../image/aspect-buckets.ts";
import { checkImage, type ImageSize, type RgbImage, toPlanes } from "../image/pixels.ts";
import { stretch } from "../image/resize.ts";
import { encodePicture, pixelsPerToken } from "./image-coder.ts";
import type { ModelSessions } from "./model-sessions.ts";
import type { Platform } from "./platform.ts";

/** A file's path, its bytes, or pixels. Pixels whose sides are whole tokens are taken as they are. */
export type ImageInput = string | Uint8Array | RgbImage;

/** Read and sized, not yet encoded. */
export interface SizedImage {
  readonly size: ImageSize;
  /** [3, H, W] in [-1, 1] */
  readonly planes: Float32Array;
  /** SHA-256 of the sized pixels. */
  readonly sha256: string;
}

/**
 * Reads images. A file is stretched (bicubic, as in the published editing example) to `size`, or else to the aspect
 * bucket of the model's image size that is nearest to its shape.
 * @throws InputError for a file that is not there, DataFormatError for one that is no picture.
 */
export async function readInputImages(
  platform: Platform,
  sessions: ModelSessions,
  images: readonly ImageInput[],
  size: ImageSize | undefined,
): Promise<SizedImage[]> {
  if (images.length === 0) return [];
  const side = pixelsPerToken(sessions);
  return Promise.all(
    images.map(async (image, index) => {
      const read =
        typeof image === "string"
          ? await platform.readImage(image)
          : image instanceof Uint8Array
            ? await platform.decodeImage(image, `image ${index + 1}`)
            : checkImage(image);
      const fits = read.width % side === 0 && read.height % side === 0;
      const given = typeof image === "string" || image instanceof Uint8Array;
      const target = size ?? chooseBucket([read.height, read.width], trainedSide(sessions)).gridPixels;
      const keep = fits && (!given || (read.height === target[0] && read.width === target[1]));
      const sized = keep ? read : stretch(read, target, "bicubic");
      return {
        size: [sized.height, sized.width],
        planes: toPlanes(sized),
        sha256: await platform.sha256(sized.data),
      };
    }),
  );
}

/** Tokens of each image, [h * w, 64]. One at a time: the encoder's activations are the larger part of the memory. */
export async function encodeInputImages(
  sessions: ModelSessions,
  images: readonly SizedImage[],
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const tokens: Float32Array[] = [];
  for (const { planes, size } of images) {
    tokens.push((await encodePicture(sessions, planes, size, signal)).tokens);
  }
  return tokens;
}

/** Side in pixels of the square pictures that the model was trained on. */
export function trainedSide(sessions: ModelSessions): number {
  const { latentSize, latentPatchSize } = sessions.folder.config;
  return (latentSize / latentPatchSize) * pixelsPerToken(sessions);
}

const TAG = "<image>";

/**
 * Captions with an `<image>` for each image, and the images in the order of the tags. Captions without any tag get
 * all images in front, each caption the same ones.
 * @throws InputError when some captions have tags, but not one for each image.
 */
export function placeImages<Image>(
  captions: readonly string[],
  images: readonly Image[],
): { captions: readonly string[]; images: readonly Image[] } {
  if (images.length === 0) return { captions, images };
  const tags = captions.reduce((sum, caption) => sum + caption.split(TAG).length - 1, 0);
  if (tags === 0) {
    return {
      captions: captions.map((caption) => TAG.repeat(images.length) + caption),
      images: captions.flatMap(() => images),
    };
  }
  if (tags !== images.length) {
    throw new InputError(`${images.length} images for ${tags} ${TAG} tags`, {
      where: "images",
      remedy: `write one ${TAG} for each image, or none at all`,
    });
  }
  return { captions, images };
}
