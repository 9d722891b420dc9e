/** @file Safetensors on the disk: one file, or shards with an index. */

import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { INDEX_FILE, openWeights, SafetensorsSet } from "../formats/safetensors-set.ts";
import { encodeSafetensors, planShards, type SafetensorsMetadata } from "../formats/safetensors-writer.ts";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import { FileSource } from "./file-source.ts";
import { LocalFolder } from "./local-folder.ts";
import { ReplacementFile, replaceFile, replaceText } from "./replacement-file.ts";

/**
 * Opens the weights at `path`: a .safetensors file, an index, or a folder with model.safetensors or its index.
 * Throws InputError if nothing of the kind is there, ModelFormatError if it is damaged.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile | SafetensorsSet> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  if (isFolder) return openWeights(new LocalFolder(path));
  if (path.endsWith(".json")) return SafetensorsSet.open(new LocalFolder(dirname(path)), basename(path));
  return SafetensorsFile.read(await FileSource.open(path));
}

/**
 * Writes `tensors` to `path` in the given order. The file appears whole or not at all.
 * Throws as {@link encodeSafetensors} does.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata?: SafetensorsMetadata,
): Promise<void> {
  await replaceFile(path, (file) => encodeSafetensors(file, tensors, metadata));
}

export interface ShardingOptions {
  /** Upper bound of a shard's data in bytes; a tensor that is larger gets a shard of its own. */
  readonly maxShardBytes: number;
  readonly metadata?: SafetensorsMetadata;
}

/**
 * Writes shards `model-00001-of-0000N.safetensors` and their index into `folder`, in the given order.
 * No file appears before all data is written. Throws as {@link planShards} and {@link encodeSafetensors} do.
 */
export async function writeShardedSafetensors(
  folder: string,
  tensors: readonly TensorToWrite[],
  options: ShardingOptions,
): Promise<void> {
  const { shards, index } = planShards(tensors, options.maxShardBytes, folder);
  const files: ReplacementFile[] = [];
  try {
    for (const shard of shards) {
      const file = await ReplacementFile.create(join(folder, shard.file));
      files.push(file);
      await encodeSafetensors(file, shard.tensors, options.metadata);
    }
    for (const file of files) await file.commit();
  } catch (error) {
    for (const file of files) await file.discard();
    throw error;
  }
  await replaceText(join(folder, INDEX_FILE), index);
}
