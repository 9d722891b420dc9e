import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import type { PassingShard } from "../hub/passing-model.ts";
import { passingShards } from "./passing-shards.ts";
import type { SourceShard } from "./shard-source.ts";

const MB = 1_000_000;

const unread = {
  open: () => Promise.reject(new Error("nobody reads it")),
  sha256: undefined,
  otherContent: () => new InputError("is another"),
};

/** Shards of these sizes, none of which is here; notes what happens to them. */
function fakeModel(sizes: Readonly<Record<string, number>>) {
  const log: string[] = [];
  const bytesOf = (shard: string): number => sizes[shard] ?? 0;
  const drop = async (shard: string): Promise<void> => void log.push(`drop ${shard}`);
  const model = {
    shards: Object.keys(sizes),
    bytesOf,
    missing: async (shard: string) => bytesOf(shard),
    isCheckedByReader: (shard: string) => shard !== "small",
    drop,
    fetch: async (
      shard: string,
      onBytes: (bytes: number) => void,
      signal: AbortSignal | undefined,
    ): Promise<PassingShard> => {
      log.push(`fetch ${shard}`);
      signal?.addEventListener("abort", () => log.push(`stop ${shard}`));
      onBytes(bytesOf(shard));
      return { ...unread, drop: () => drop(shard) };
    },
    arriving: async (shard: string, onBytes: (bytes: number) => void): Promise<PassingShard> => {
      log.push(`read ${shard}`);
      onBytes(bytesOf(shard));
      return { ...unread, drop: async () => {} };
    },
  };
  return { model, log };
}

async function take(shards: AsyncIterable<SourceShard>, log: string[]): Promise<void> {
  for await (const { file, release } of shards) {
    log.push(`convert ${file}`);
    await release();
  }
}

describe("passingShards", () => {
  const sizes = { a: 100 * MB, b: 300 * MB, c: 200 * MB };

  it("fetches the next one beside a conversion only where the disk has room for both", async () => {
    const files = Object.keys(sizes);
    const tight = fakeModel(sizes);
    await take(passingShards(tight.model).shards(files, 400 * MB), tight.log);
    expect(tight.log.filter((entry) => !entry.startsWith("stop"))).toEqual(
      files.flatMap((file) => [`fetch ${file}`, `convert ${file}`, `drop ${file}`]),
    );
    const roomy = fakeModel(sizes);
    await take(passingShards(roomy.model).shards(files, 600 * MB), roomy.log);
    expect(roomy.log.slice(0, 4)).toEqual(["fetch a", "fetch b", "convert a", "drop a"]);
  });

  it("reads a shard while it arrives where the disk has no room for it", async () => {
    const { model, log } = fakeModel({ ...sizes, small: 5 * MB });
    const shards = passingShards(model);
    const files = [...Object.keys(sizes), "small"];
    expect(await shards.space(files, 300 * MB)).toEqual({ bytes: 200 * MB, arriving: true });
    await take(shards.shards(files, 300 * MB), log);
    expect(log.filter((entry) => !entry.startsWith("stop"))).toEqual([
      ...["fetch a", "convert a", "drop a", "read b", "convert b"],
      // With room for both.
      ...["fetch c", "fetch small", "convert c", "drop c", "convert small", "drop small"],
    ]);
    // Nobody else would check a small file that git keeps.
    expect(await shards.space(files, 0)).toEqual({ bytes: 5 * MB, arriving: true });
  });

  it("drops what is not needed any more, and says what the largest of the others takes", async () => {
    const { model, log } = fakeModel(sizes);
    const shards = passingShards(model);
    await shards.prepare(["a", "c"]);
    expect(log).toEqual(["drop b"]);
    expect(await shards.space(["a", "c"], 400 * MB)).toEqual({ bytes: 200 * MB, arriving: false });
  });

  it("counts what is here", async () => {
    const { model, log } = fakeModel(sizes);
    const told: number[] = [];
    const onFetched = ({ done, total }: { done: number; total: number }): void => {
      told.push(done / MB);
      expect(total).toBe(600 * MB);
    };
    const shards = passingShards(model, { onFetched });
    await shards.prepare(["b", "c"]);
    await take(shards.shards(["b", "c"], 400 * MB), log);
    expect([...new Set(told)]).toEqual([400, 600]);
  });

  it("stops what is on its way when no more is wanted", async () => {
    const { model, log } = fakeModel(sizes);
    for await (const _shard of passingShards(model).shards(["a", "b"], Number.POSITIVE_INFINITY)) break;
    expect(log).toContain("stop b");
  });
});
