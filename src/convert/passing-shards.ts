/** @file Shards from the hub for a conversion: one is fetched while another is converted, where the disk has room. */
import { RESERVE_BYTES } from "../files/free-space.ts";
import type { PassingModel, PassingShard } from "../hub/passing-model.ts";
import type { ShardSource } from "./shard-source.ts";

export interface PassingShardsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told bytes of shards that are here or were, of all. */
  readonly onFetched?: (bytes: { readonly done: number; readonly total: number }) => void;
}

/** The shards of a model that passes through; each is dropped when its conversion is on the disk. */
export function passingShards(
  model: Pick<PassingModel, "shards" | "bytesOf" | "missing" | "fetch" | "drop">,
  { signal, onFetched = () => {} }: PassingShardsOptions = {},
): ShardSource {
  /** Bytes of each shard that are here or were. */
  const there = new Map<string, number>();
  const sizeOf = (files: readonly string[]): number =>
    files.reduce((sum, file) => sum + model.bytesOf(file), 0);
  const tell = (): void =>
    onFetched({ done: [...there.values()].reduce((a, b) => a + b, 0), total: sizeOf(model.shards) });
  const fetch = async (file: string, until: AbortSignal): Promise<PassingShard> => {
    let arrived = 0;
    const onBytes = (bytes: number): void => {
      arrived += bytes;
      there.set(file, arrived);
      tell();
    };
    const shard = await model.fetch(file, onBytes, until);
    there.set(file, model.bytesOf(file));
    tell();
    return shard;
  };
  return {
    byteLength: async (files) => sizeOf(files),
    async prepare(files) {
      let largest = 0;
      for (const file of model.shards) {
        if (!files.includes(file)) await model.drop(file);
        const missing = files.includes(file) ? await model.missing(file) : 0;
        there.set(file, model.bytesOf(file) - missing);
        largest = Math.max(largest, missing);
      }
      return largest;
    },
    async *shards(files, spare) {
      const stop = new AbortController();
      const until = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
      const taken = new Map<string, number>();
      for (const file of files) taken.set(file, await model.missing(file));
      const fits = (both: readonly string[]): boolean =>
        both.reduce((sum, file) => sum + (taken.get(file) ?? 0), RESERVE_BYTES) <= spare;
      let coming: Promise<PassingShard> | undefined;
      try {
        for (const [index, file] of files.entries()) {
          const { path, sha256, drop } = await (coming ?? fetch(file, until));
          coming = undefined;
          const next = files[index + 1];
          if (next !== undefined && fits([file, next])) {
            coming = fetch(next, until);
            // Who asks for it hears of a failure.
            coming.catch(() => {});
          }
          yield { file, path, ...(sha256 === undefined ? {} : { sha256 }), release: drop };
        }
      } finally {
        stop.abort();
        await coming?.catch(() => {});
      }
    },
  };
}
