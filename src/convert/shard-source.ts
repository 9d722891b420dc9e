/** @file Where a conversion gets its shards from: a folder, or a download that goes on meanwhile. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { NextStepError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import type { ByteSource } from "../formats/byte-source.ts";

/** A safetensors file that can be read, though all of it need not be there yet. */
export interface SourceShard {
  /** Name in the checkpoint, `model-00001-of-00012.safetensors`. */
  readonly file: string;
  /** Its bytes, which are read once and from front to back. */
  open(): Promise<ByteSource>;
  /** What its content must have; absent where nobody says. */
  readonly expected?: ExpectedContent;
  /** Called when its conversion is on the disk for good: a download may then be dropped. */
  release(): Promise<void>;
}

export interface ExpectedContent {
  readonly sha256: string;
  /** What is thrown for another one. */
  otherContent(): NextStepError;
}

/** What shards take of the result's disk while they are converted. */
export interface ShardSpace {
  /** At most at a time. */
  readonly bytes: number;
  /** Whether some are only read while they arrive, since the disk has no room for them. */
  readonly arriving: boolean;
}

export interface ShardSource {
  /** Of the files of these names together, for progress. */
  byteLength(files: readonly string[]): Promise<number>;
  /** Makes ready for the files of these names, which are all that is left to convert. */
  prepare(files: readonly string[]): Promise<void>;
  /** What these files will take beside the result, when `spare` bytes of its disk may be taken for that. */
  space(files: readonly string[], spare: number): Promise<ShardSpace>;
  /**
   * The files of these names, in that order, each when it can be read. The next is asked for when one is converted.
   * @param spare as for {@link space}
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
    prepare: async () => {},
    space: async () => ({ bytes: 0, arriving: false }),
    async *shards(files) {
      for (const file of files) {
        yield { file, open: () => FileSource.open(join(folder, file)), release: async () => {} };
      }
    },
  };
}
