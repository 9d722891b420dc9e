/** @file Torch archives on the disk. */

import { basename, extname } from "node:path";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import { encodeTorchArchive } from "../formats/torch-archive-writer.ts";
import { replaceFile } from "./replacement-file.ts";

/** Writes `tensors` to `path`; the file appears whole or not at all. Throws as {@link encodeTorchArchive} does. */
export async function writeTorchArchive(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  const root = basename(path, extname(path)).replace(/[^\w.-]/g, "_") || "archive";
  await replaceFile(path, (file) => encodeTorchArchive(file, root, tensors));
}
