/** @file Writes safetensors, in one file or in shards with an index, one tensor in memory at a time. */

import { join } from "node:path";
import { ConfigError, InputError, ShapeError } from "../errors.ts";
import { bytesOf, safetensorsDType } from "../tensor/dtype.ts";
import { byteLength, elementCount, sameShape } from "../tensor/shape.ts";
import { ReplacementFile, replaceFile } from "./replacement-file.ts";
import { INDEX_FILE } from "./safetensors-set.ts";
import type { TensorToWrite } from "./tensor-source.ts";

/** Entries of `__metadata__`, in order. */
export type SafetensorsMetadata = ReadonlyMap<string, string>;

/**
 * Writes `tensors` to `path` in the given order. The file appears whole or not at all.
 * Throws InputError for a name used twice, ShapeError if a loaded tensor is not what was announced.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata?: SafetensorsMetadata,
): Promise<void> {
  checkNames(tensors, path);
  await replaceFile(path, (file) => writeInto(file, tensors, metadata));
}

export interface ShardingOptions {
  /** Upper bound of a shard's data in bytes; a tensor that is larger gets a shard of its own. */
  readonly maxShardBytes: number;
  readonly metadata?: SafetensorsMetadata;
}

/**
 * Writes shards `model-00001-of-0000N.safetensors` and their index into `folder`, in the given order.
 * No file appears before all data is written. Throws as {@link writeSafetensors}.
 */
export async function writeShardedSafetensors(
  folder: string,
  tensors: readonly TensorToWrite[],
  options: ShardingOptions,
): Promise<void> {
  checkNames(tensors, folder);
  const shards = splitIntoShards(tensors, options.maxShardBytes);
  const weightMap: [string, string][] = [];
  const files: ReplacementFile[] = [];
  try {
    for (const [i, shard] of shards.entries()) {
      const name = shardName(i + 1, shards.length);
      for (const { name: tensor } of shard) weightMap.push([tensor, name]);
      const file = await ReplacementFile.create(join(folder, name));
      files.push(file);
      await writeInto(file, shard, options.metadata);
    }
    for (const file of files) await file.commit();
  } catch (error) {
    for (const file of files) await file.discard();
    throw error;
  }
  const totalSize = tensors.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, shape), 0);
  const index = indexText(totalSize, weightMap);
  await replaceFile(join(folder, INDEX_FILE), (file) => file.write(new TextEncoder().encode(index)));
}

/** `model-00002-of-00012.safetensors` for shard 2 of 12. */
export function shardName(number: number, count: number): string {
  const padded = (n: number): string => String(n).padStart(5, "0");
  return `model-${padded(number)}-of-${padded(count)}.safetensors`;
}

/** Fills shards in order; the usual tools do the same, so their shard borders come out alike. */
function splitIntoShards(tensors: readonly TensorToWrite[], maxShardBytes: number): TensorToWrite[][] {
  if (!(maxShardBytes > 0)) {
    throw new ConfigError(`${maxShardBytes} is no size for a shard`, { where: "maxShardBytes" });
  }
  const shards: TensorToWrite[][] = [];
  let shard: TensorToWrite[] = [];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = byteLength(tensor.dtype, tensor.shape);
    if (shard.length > 0 && bytes + size > maxShardBytes) {
      shards.push(shard);
      shard = [];
      bytes = 0;
    }
    shard.push(tensor);
    bytes += size;
  }
  shards.push(shard);
  return shards;
}

/** Keys sorted and indented as the usual tools write it. */
function indexText(totalSize: number, weightMap: [string, string][]): string {
  weightMap.sort(([a], [b]) => (a < b ? -1 : 1));
  // Assembled by hand: an object would move names that look like integers to the front.
  const lines = weightMap.map(([name, shard]) => `    ${JSON.stringify(name)}: ${JSON.stringify(shard)}`);
  const metadata = `  "metadata": {\n    "total_size": ${totalSize}\n  }`;
  return `{\n${metadata},\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}\n`;
}

async function writeInto(
  file: ReplacementFile,
  tensors: readonly TensorToWrite[],
  metadata: SafetensorsMetadata | undefined,
): Promise<void> {
  await file.write(headerBytes(tensors, metadata));
  for (const announced of tensors) {
    const { name, dtype, shape } = announced;
    const loaded = await announced.load();
    if (
      loaded.dtype !== dtype ||
      !sameShape(loaded.shape, shape) ||
      loaded.data.byteLength !== byteLength(dtype, shape)
    ) {
      throw new ShapeError(
        `announced as ${dtype} [${shape.join(", ")}], loaded as ${loaded.dtype} [${loaded.shape.join(", ")}] of ${loaded.data.length} elements`,
        { where: name },
      );
    }
    await file.write(bytesOf(loaded.data));
  }
}

function headerBytes(
  tensors: readonly TensorToWrite[],
  metadata: SafetensorsMetadata | undefined,
): Uint8Array {
  const fields: string[] = [];
  if (metadata !== undefined) {
    const pairs = Array.from(metadata, ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    fields.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  let position = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = position + byteLength(dtype, shape);
    const sizes = shape.join(",");
    fields.push(
      `${JSON.stringify(name)}:{"dtype":"${safetensorsDType(dtype)}","shape":[${sizes}],"data_offsets":[${position},${end}]}`,
    );
    position = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  // The reference writer pads the header with spaces so that the data starts at a multiple of eight.
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function checkNames(tensors: readonly TensorToWrite[], where: string): void {
  const seen = new Set<string>(["__metadata__"]);
  for (const { name, shape } of tensors) {
    if (seen.has(name)) throw new InputError(`tensor name "${name}" cannot be used again`, { where });
    seen.add(name);
    elementCount(shape);
  }
}
