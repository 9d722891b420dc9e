/** @file The size that a PNG's header gives. */

/** @throws Error for bytes that are no PNG. */
export function readPngHeader(bytes: Buffer): { readonly width: number; readonly height: number } {
  if (bytes.subarray(1, 4).toString() !== "PNG") throw new Error("is not a PNG");
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}
