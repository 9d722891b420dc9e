/** @file A model's safetensors as one source of tensors, whether one file or shards with an index. */

import { InputError, ModelFormatError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ByteSource, Unchanged } from "./byte-source.ts";
import type { FileFolder } from "./file-folder.ts";
import { JsonReader } from "./json-reader.ts";
import { quoted } from "./quoted.ts";
import { SafetensorsFile } from "./safetensors.ts";
import { type RowRange, type StoredTensor, storedTensor, type TensorSource } from "./tensor-source.ts";

export const SINGLE_FILE = "model.safetensors";
export const INDEX_FILE = "model.safetensors.index.json";

/** A hundred bytes a tensor and a million tensors. */
const MAX_INDEX_BYTES = 100_000_000;
const MAX_TENSORS = 1 << 20;
/** Every shard is an open file. */
const MAX_SHARDS = 1024;

/** Shards behind an index. */
export class SafetensorsSet implements TensorSource {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Tensors that a shard holds but the index does not place there; they are not among `tensors`. */
  readonly unlisted: readonly string[];
  readonly #shards: ReadonlyMap<string, SafetensorsFile>;
  readonly #weightMap: ReadonlyMap<string, string>;

  private constructor(
    name: string,
    shards: ReadonlyMap<string, SafetensorsFile>,
    weightMap: ReadonlyMap<string, string>,
  ) {
    this.name = name;
    this.#shards = shards;
    this.#weightMap = weightMap;
    const tensors = new Map<string, StoredTensor>();
    for (const [tensor, shard] of weightMap) tensors.set(tensor, storedTensor(shards.get(shard)!, tensor));
    this.tensors = tensors;
    const metadata = new Map<string, string>();
    const unlisted: string[] = [];
    for (const [shard, file] of shards) {
      for (const [key, value] of file.metadata) metadata.set(key, value);
      for (const tensor of file.tensors.keys()) if (weightMap.get(tensor) !== shard) unlisted.push(tensor);
    }
    this.metadata = metadata;
    this.unlisted = unlisted;
  }

  /** Opens the shards that the folder's member `index` names; they must lie beside it. */
  static async open(folder: FileFolder, index: string): Promise<SafetensorsSet> {
    const weightMap = await readWeightMap(await folder.open(index));
    const shards = new Map<string, SafetensorsFile>();
    try {
      for (const shard of new Set(weightMap.values())) {
        shards.set(shard, await SafetensorsFile.read(await folder.open(shard)));
      }
      return new SafetensorsSet(folder.pathOf(index), shards, weightMap);
    } catch (error) {
      for (const file of shards.values()) await file.close();
      throw error;
    }
  }

  async readTensor(name: string, rows?: RowRange): Promise<Tensor> {
    storedTensor(this, name);
    return this.#shards.get(this.#weightMap.get(name)!)!.readTensor(name, rows);
  }

  fileOf(name: string): string | undefined {
    storedTensor(this, name);
    return this.#shards.get(this.#weightMap.get(name)!)!.fileOf(name);
  }

  async checkUnchanged(what: Unchanged): Promise<void> {
    for (const file of this.#shards.values()) await file.checkUnchanged(what);
  }

  async close(): Promise<void> {
    for (const file of this.#shards.values()) await file.close();
  }
}

/** Tensor name to shard name, in the order of the index. Closes `source`. Throws ModelFormatError. */
export async function readWeightMap(source: ByteSource): Promise<ReadonlyMap<string, string>> {
  const where = source.name;
  try {
    if (source.byteLength > MAX_INDEX_BYTES) {
      throw new ModelFormatError(`an index of ${source.byteLength} bytes is too large`, { where });
    }
    const reader = JsonReader.fromUtf8(await source.read(0, source.byteLength), where);
    let weightMap: Map<string, string> | undefined;
    const shards = new Map<string, string>();
    reader.object((key) => {
      if (key !== "weight_map") {
        reader.skip();
        return;
      }
      const map = new Map<string, string>();
      reader.object((tensor) => {
        const shard = reader.string();
        if (!shards.has(shard)) {
          checkShardName(shard, where);
          if (shards.size === MAX_SHARDS) reader.fail(`names more than ${MAX_SHARDS} shards`);
          shards.set(shard, shard);
        }
        // One string per shard, not one per tensor.
        map.set(tensor, shards.get(shard)!);
      }, MAX_TENSORS);
      weightMap = map;
    });
    reader.end();
    return weightMap ?? reader.fail("has no weight_map");
  } finally {
    await source.close();
  }
}

/** A shard must be a file of the same folder: an index may not make us open anything else. */
function checkShardName(shard: string, where: string): void {
  if (!/^[^/\\:\0]{1,240}\.safetensors$/.test(shard) || shard.startsWith(".")) {
    throw new ModelFormatError(`names ${quoted(shard)} as a shard`, {
      where,
      remedy: "shards must be .safetensors files in the folder of the index",
    });
  }
}

/** Names of the files that hold a folder's weights. Throws as {@link openWeights} does. */
export async function weightFiles(folder: FileFolder): Promise<readonly string[]> {
  if (!(await folder.has(INDEX_FILE))) return [SINGLE_FILE];
  return [...new Set((await readWeightMap(await folder.open(INDEX_FILE))).values())];
}

/**
 * Opens the weights of a folder: model.safetensors or its index, which goes first.
 * Throws InputError if nothing of the kind is there, ModelFormatError if it is damaged.
 */
export async function openWeights(folder: FileFolder): Promise<SafetensorsFile | SafetensorsSet> {
  if (await folder.has(INDEX_FILE)) return SafetensorsSet.open(folder, INDEX_FILE);
  if (await folder.has(SINGLE_FILE)) return SafetensorsFile.read(await folder.open(SINGLE_FILE));
  throw new InputError(`holds neither ${SINGLE_FILE} nor ${INDEX_FILE}`, {
    where: folder.path,
    remedy: "name a model folder",
  });
}
