/** @file The SHA-256 of a file. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** In hexadecimal. Reads the file in pieces. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, {
    highWaterMark: 1 << 20,
    ...(signal === undefined ? {} : { signal }),
  })) {
    hash.update(chunk as Uint8Array);
  }
  return hash.digest("hex");
}
