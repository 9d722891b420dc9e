/**
 * @file Shards from the hub for a conversion. Where the disk has room for one, it is fetched before it is converted, so
 * that an interruption loses nothing of it, and where there is room for two, while another is converted. Where there is
 * none, it is converted while it arrives.
 */
import { RESERVE_BYTES } from "../files/free-space.ts";
import type { PassingModel, PassingShard } from "../hub/passing-model.ts";
import type { ShardSource, SourceShard } from "./shard-source.ts";

export interface PassingShardsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told bytes of shards that are here or were, of all. */
  readonly onFetched?: (bytes: { readonly done: number; readonly total: number }) => void;
}

/** The shards of a model that passes through; each is dropped when its conversion is on the disk. */
export function passingShards(
  model: Pick<
    PassingModel,
    "shards" | "bytesOf" | "missing" | "isCheckedByReader" | "fetch" | "arriving" | "drop"
  >,
  { signal, onFetched = () => {} }: PassingShardsOptions = {},
): ShardSource {
  /** Bytes of each shard that are here or were. */
  const there = new Map<string, number>();
  const sizeOf = (files: readonly string[]): number =>
    files.reduce((sum, file) => sum + model.bytesOf(file), 0);
  const tell = (): void =>
    onFetched({ done: [...there.values()].reduce((a, b) => a + b, 0), total: sizeOf(model.shards) });
  const count = (file: string): ((bytes: number) => void) => {
    let arrived = 0;
    return (bytes) => {
      arrived += bytes;
      there.set(file, arrived);
      tell();
    };
  };
  const fetch = async (file: string, until: AbortSignal): Promise<PassingShard> => {
    const shard = await model.fetch(file, count(file), until);
    there.set(file, model.bytesOf(file));
    tell();
    return shard;
  };
  /** Whether a shard of which so many bytes are missing is to be on the disk before it is read. */
  const isStored = (file: string, missing: number, spare: number): boolean =>
    missing === 0 || missing + RESERVE_BYTES <= spare || !model.isCheckedByReader(file);
  return {
    byteLength: async (files) => sizeOf(files),
    async prepare(files) {
      for (const file of model.shards) {
        if (!files.includes(file)) await model.drop(file);
        const missing = files.includes(file) ? await model.missing(file) : 0;
        there.set(file, model.bytesOf(file) - missing);
      }
    },
    async space(files, spare) {
      let [bytes, arriving] = [0, false];
      for (const file of files) {
        const missing = await model.missing(file);
        if (isStored(file, missing, spare)) bytes = Math.max(bytes, missing);
        else arriving = true;
      }
      return { bytes, arriving };
    },
    async *shards(files, spare) {
      const stop = new AbortController();
      const until = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
      const taken = new Map<string, number>();
      const stored = new Set<string>();
      for (const file of files) {
        const missing = await model.missing(file);
        taken.set(file, missing);
        if (isStored(file, missing, spare)) stored.add(file);
      }
      const haveRoom = (both: readonly string[]): boolean =>
        both.every((file) => stored.has(file)) &&
        both.reduce((sum, file) => sum + (taken.get(file) ?? 0), RESERVE_BYTES) <= spare;
      let coming: Promise<PassingShard> | undefined;
      try {
        for (const [index, file] of files.entries()) {
          if (!stored.has(file)) {
            yield sourceOf(file, await model.arriving(file, count(file), until));
            continue;
          }
          const shard = await (coming ?? fetch(file, until));
          coming = undefined;
          const next = files[index + 1];
          if (next !== undefined && haveRoom([file, next])) {
            coming = fetch(next, until);
            // Who asks for it hears of a failure.
            coming.catch(() => {});
          }
          yield sourceOf(file, shard);
        }
      } finally {
        stop.abort();
        await coming?.catch(() => {});
      }
    },
  };
}

function sourceOf(file: string, { open, sha256, otherContent, drop }: PassingShard): SourceShard {
  return {
    file,
    open,
    ...(sha256 === undefined ? {} : { expected: { sha256, otherContent } }),
    release: drop,
  };
}
