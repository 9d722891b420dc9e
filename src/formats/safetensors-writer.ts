/** @file Writes safetensors, one tensor in memory at a time; large sets are cut into shards with an index. */

import { ConfigError, InputError, ShapeError } from "../errors.ts";
import { bytesOf, safetensorsDType } from "../tensor/dtype.ts";
import { byteLength, elementCount, sameShape } from "../tensor/shape.ts";
import type { ByteSink } from "./byte-sink.ts";
import type { TensorToWrite } from "./tensor-source.ts";

/** Entries of `__metadata__`, in order. */
export type SafetensorsMetadata = ReadonlyMap<string, string>;

/**
 * Writes `tensors` to `sink` in the given order.
 * Throws InputError for a name used twice, ShapeError if a loaded tensor is not what was announced.
 */
export async function encodeSafetensors(
  sink: ByteSink,
  tensors: readonly TensorToWrite[],
  metadata?: SafetensorsMetadata,
): Promise<void> {
  checkNames(tensors, sink.name);
  await sink.write(layOutSafetensors(tensors, metadata).header);
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
    await sink.write(bytesOf(loaded.data));
  }
}

/** A file of a sharded checkpoint, and what belongs into it. */
export interface Shard {
  readonly file: string;
  readonly tensors: readonly TensorToWrite[];
}

/**
 * Tensors cut into shards `model-00001-of-0000N.safetensors`, in the given order, and the text of their index.
 * @param maxShardBytes upper bound of a shard's data; a tensor that is larger gets a shard of its own
 * Throws InputError, naming `where`, for a name used twice, ConfigError for a bound that is no size.
 */
export function planShards(
  tensors: readonly TensorToWrite[],
  maxShardBytes: number,
  where: string,
): { readonly shards: readonly Shard[]; readonly index: string } {
  checkNames(tensors, where);
  const parts = splitIntoShards(tensors, maxShardBytes);
  const shards = parts.map((part, i) => ({ file: shardName(i + 1, parts.length), tensors: part }));
  const weightMap = shards.flatMap(({ file, tensors: part }) =>
    part.map(({ name }): [string, string] => [name, file]),
  );
  const totalSize = tensors.reduce((sum, { dtype, shape }) => sum + byteLength(dtype, shape), 0);
  return { shards, index: shardIndex(totalSize, weightMap) };
}

/** `model-00002-of-00012.safetensors` for shard 2 of 12. */
function shardName(number: number, count: number): string {
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

/**
 * Text of the index of a sharded checkpoint: keys sorted and indented as the usual tools write it.
 * @param totalSize bytes of all tensors.
 * @param weightMap each tensor's name with that of its shard.
 */
export function shardIndex(
  totalSize: number,
  weightMap: readonly (readonly [tensor: string, shard: string])[],
): string {
  const sorted = weightMap.toSorted(([a], [b]) => (a < b ? -1 : 1));
  // Assembled by hand: an object would move names that look like integers to the front.
  const lines = sorted.map(([name, shard]) => `    ${JSON.stringify(name)}: ${JSON.stringify(shard)}`);
  const metadata = `  "metadata": {\n    "total_size": ${totalSize}\n  }`;
  return `{\n${metadata},\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}\n`;
}

/** Where everything goes in a file whose tensors are known but not yet made. */
export interface SafetensorsLayout {
  /** What the file begins with. */
  readonly header: Uint8Array;
  /** Byte of the file at which each tensor begins, in the order given. */
  readonly begins: readonly number[];
  /** Of the whole file. */
  readonly byteLength: number;
}

/** Lays `tensors` out in the given order, without gaps. Names must differ. */
export function layOutSafetensors(
  tensors: readonly Pick<TensorToWrite, "name" | "dtype" | "shape">[],
  metadata?: SafetensorsMetadata,
): SafetensorsLayout {
  const offsets: number[] = [];
  const fields: string[] = [];
  if (metadata !== undefined) {
    const pairs = Array.from(metadata, ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    fields.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  let position = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = position + byteLength(dtype, shape);
    offsets.push(position);
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
  return {
    header: bytes,
    begins: offsets.map((offset) => bytes.length + offset),
    byteLength: bytes.length + position,
  };
}

function checkNames(tensors: readonly TensorToWrite[], where: string): void {
  const seen = new Set<string>(["__metadata__"]);
  for (const { name, shape } of tensors) {
    if (seen.has(name)) throw new InputError(`tensor name "${name}" cannot be used again`, { where });
    seen.add(name);
    elementCount(shape);
  }
}
