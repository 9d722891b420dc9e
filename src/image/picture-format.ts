/** @file Picture files before they are decoded: which format they begin as, and how large they may be. */

export type PictureFormat = "PNG" | "JPEG" | "WebP" | "GIF" | "TIFF" | "AVIF or HEIF";

/** Largest picture file that is opened. Even losslessly, 64 megapixels take no more. */
export const MAX_PICTURE_BYTES = 512 * 1024 * 1024;

/** Bytes that are needed to tell. */
export const PICTURE_HEAD_BYTES = 12;

/** Latin-1 patterns over the first {@link PICTURE_HEAD_BYTES} bytes. */
const HEADS: readonly (readonly [PictureFormat, RegExp])[] = [
  ["PNG", /^\x89PNG\r\n/],
  ["JPEG", /^\xff\xd8\xff/],
  ["WebP", /^RIFF[\s\S]{4}WEBP/],
  ["GIF", /^GIF8/],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes, not text.
  ["TIFF", /^(?:II\*\x00|MM\x00\*)/],
  ["AVIF or HEIF", /^[\s\S]{4}ftyp(?:avi[fs]|hei[cfmsx]|hev[cmx]|mi[af]1|msf1)/],
];

/** The format, or undefined if the bytes begin as no picture that is read. */
export function pictureFormat(head: Uint8Array): PictureFormat | undefined {
  const text = String.fromCharCode(...head.subarray(0, PICTURE_HEAD_BYTES));
  return HEADS.find(([, pattern]) => pattern.test(text))?.[0];
}
