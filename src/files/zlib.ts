/** @file Compression by Node's own zlib, outside the calling thread. */

import { promisify } from "node:util";
import { deflate, inflate } from "node:zlib";
import type { Zlib } from "../formats/zlib.ts";

const inflateAsync = promisify(inflate);
const deflateAsync = promisify(deflate);

export const nodeZlib: Zlib = {
  // Zero would be refused as a limit.
  inflate: (bytes, maxBytes) => inflateAsync(bytes, { maxOutputLength: Math.max(maxBytes, 1) }),
  deflate: (bytes) => deflateAsync(bytes),
};
