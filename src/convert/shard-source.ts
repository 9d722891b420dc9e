/** @file Where a conversion gets its shards from: a folder, or a download that goes on meanwhile. */
import { stat } from "node:fs/promises";
import { join } from "node:path";

/** A safetensors file that is whole. */
export interface SourceShard {
  /** Name in the checkpoint, `model-00001-of-00012.safetensors`. */
  readonly file: string;
  /** Where it lies now. */
  readonly path: string;
  /** What its content must have; absent where nobody says. */
  readonly sha256?: string;
  /** Called when its conversion is on the disk for good: a download may then be dropped. */
  release(): Promise<void>;
}

export interface ShardSource {
  /** Of the files of these names together, for progress. */
  byteLength(files: readonly string[]): Promise<number>;
  /**
   * Makes ready for the files of these names, which are all that is left to convert.
   * @returns bytes that they will take on the result's disk, beside the result, when there is one at a time
   */
  prepare(files: readonly string[]): Promise<number>;
  /**
   * The files of these names, in that order, each when it can be read. The next is asked for when one is converted.
   * @param spare bytes of the result's disk that may be taken to have more than one there
   */
  shards(files: readonly string[], spare: number): AsyncIterable<SourceShard>;
}

/** Shards that lie in a folder and stay there. */
export function folderShards(folder: string): ShardSource {
  return {
    async byteLength(files) {
      let sum = 0;
      for (const file of files) sum += (await stat(join(folder, file))).size;
      return sum;
    },
    prepare: async () => 0,
    async *shards(files) {
      for (const file of files) yield { file, path: join(folder, file), release: async () => {} };
    },
  };
}
