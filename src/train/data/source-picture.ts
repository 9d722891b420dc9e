/** @file Picture files of a folder as they go into tars. */

import { createHash } from "node:crypto";
import { extname } from "node:path";
import { decodeImage } from "../../files/decode-image.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { onSource, type PassedOver, passedOver } from "./passed-over.ts";
import type { SampleImage } from "./sample-writer.ts";
import { readSmallFile } from "./small-file.ts";

const PICTURE_EXTENSIONS: ReadonlySet<string> = new Set(
  ".png .jpg .jpeg .jfif .jpe .webp .gif .tif .tiff .avif .heic .heif".split(" "),
);
/** Pictures that no decoder at hand reads, or that have no pixels of their own. */
const OTHER_PICTURES: ReadonlySet<string> = new Set(
  ".bmp .dib .svg .pdf .psd .ico .tga .jxl .jp2 .exr .hdr .ppm .pgm .cr2 .nef .arw .dng .raw".split(" "),
);

const MAX_PICTURE_BYTES = 512 * 1024 * 1024;

export interface SourcePicture {
  readonly image: SampleImage;
  /** Decoded. */
  readonly pixels: RgbImage;
  /** Of the decoded pixels: the same for copies in other formats without loss and with other metadata. */
  readonly digest: string;
}

/** Whether a file is taken for a picture, by its name. */
export function isPicture(name: string): boolean {
  return PICTURE_EXTENSIONS.has(extname(name).toLowerCase());
}

/** The report on a file that has no part in a data set. */
export function unusedFile(name: string, otherwise: string): PassedOver {
  return OTHER_PICTURES.has(extname(name).toLowerCase())
    ? passedOver(name, { reason: "picture format that is not read", detail: "convert it to PNG or JPEG" })
    : { name, reason: otherwise };
}

/**
 * Reads a picture, and decodes it in full, so that damage shows here and not in the middle of a training run. JPEG,
 * PNG and WebP keep their bytes, other formats become PNG.
 * @throws UnusableSource for damaged ones.
 */
export function readPicture(path: string): Promise<SourcePicture> {
  return onSource("picture that cannot be read", async () => {
    const bytes = await readSmallFile(path, MAX_PICTURE_BYTES);
    const pixels = await decodeImage(bytes, path);
    const extension = formatOf(bytes);
    const image: SampleImage =
      extension === undefined
        ? { bytes: await encodePng(pixels, nodeZlib), extension: "png" }
        : { bytes, extension };
    const hash = createHash("sha256").update(`${pixels.width}x${pixels.height};`).update(pixels.data);
    return { image, pixels, digest: hash.digest("hex") };
  });
}

/** The format by its first bytes: names of files are not to be trusted. */
function formatOf(bytes: Uint8Array): SampleImage["extension"] | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (start.startsWith("\xff\xd8\xff")) return "jpg";
  return start.startsWith("RIFF") && start.endsWith("WEBP") ? "webp" : undefined;
}
