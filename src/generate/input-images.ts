/** @file Pictures that are given to the model: read, brought to a size it takes, and turned into image tokens. */
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

/** Sizes that images are brought to. */
export interface TargetSizes {
  /** Of files; default: the aspect bucket of the model's image size that is nearest to the picture's shape. */
  readonly files?: ImageSize | undefined;
  /** Of each image, file or not. */
  readonly each?: readonly ImageSize[] | undefined;
}

/**
 * Reads images and stretches them (bicubic, as in the published editing example) to their sizes.
 * @throws InputError for a file that is not there, DataFormatError for one that is no picture.
 */
export async function readInputImages(
  platform: Platform,
  sessions: ModelSessions,
  images: readonly ImageInput[],
  { files, each }: TargetSizes = {},
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
      const isFile = typeof image === "string" || image instanceof Uint8Array;
      const fits = read.width % side === 0 && read.height % side === 0;
      const target =
        each?.[index] ??
        (isFile || !fits ? (files ?? bucketSize(read, sessions)) : [read.height, read.width]);
      const same = read.height === target[0] && read.width === target[1];
      const sized = same ? read : stretch(read, target, "bicubic");
      return {
        size: [sized.height, sized.width],
        planes: toPlanes(sized),
        sha256: await platform.sha256(sized.data),
      };
    }),
  );
}

function bucketSize({ height, width }: RgbImage, sessions: ModelSessions): ImageSize {
  return chooseBucket([height, width], trainedSide(sessions), pixelsPerToken(sessions)).gridPixels;
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
