/** @file Tables as they are published: read, edited from the pictures in them, and refused where they are damaged. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { readImage } from "../../files/decode-image.ts";
import type { DrawOptions } from "../../generate/draw-options.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { GEDIT_BENCH } from "./gedit-bench.ts";
import { ParquetTable } from "./parquet-table.ts";
import { runBenchmark } from "./run-benchmark.ts";

const TABLE = fileURLToPath(new URL("../../../test/parquet/gedit.parquet", import.meta.url));
const KEYS = ["4a1", "4a2", "4a3"];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-parquet-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("is edited from the pictures in it, and gone on with", async () => {
  const items = await GEDIT_BENCH.items([TABLE], { count: 1, name: "tiny", images: undefined });
  expect(items.map(({ prompt }) => prompt)).toEqual(["Put it on a beach.", "换成海滩背景。", "Add a hat."]);
  const edited: (readonly [string, unknown])[] = [];
  const drawer = {
    draw: async (prompt: string, { images = [] }: DrawOptions) => {
      edited.push([prompt, images]);
      return [{ pixels: { width: 4, height: 4, data: new Uint8Array(48) } }];
    },
  };
  const out = join(folder, "out");
  const run = () =>
    runBenchmark(drawer, {
      ...{ items, out, identity: {}, count: 1, seed: 1, options: {}, atOnce: 1 },
      ...{ signal: new AbortController().signal, onProgress: () => {} },
    });
  await run();
  const shown = items.map(({ shown: pictures }) => join(out, Object.keys(pictures)[0]!));
  expect(edited).toEqual(items.map(({ prompt }, index) => [prompt, [shown[index]]]));
  const sizes = await Promise.all(shown.map(async (path) => (await readImage(path)).width));
  expect(sizes).toEqual([12, 13, 14]);
  expect(shown[2]).toBe(join(out, "tiny/fullset/subject-add/en/4a3_SRCIMG.png"));
  expect((await stat(join(out, "tiny/fullset/background_change/cn/4a2.png"))).isFile()).toBe(true);
  expect((await run()).drawn).toBe(0);
});

it("gives records and pictures of any group, in any order", async () => {
  const table = await ParquetTable.open(TABLE);
  expect((await table.records(["key"])).map(({ key }) => key)).toEqual(KEYS);
  for (const row of [2, 0, 1, 2]) {
    const bytes = await table.picture("input_image_raw", row);
    expect(Buffer.from(bytes).readUInt32BE(16)).toBe(12 + row);
  }
  await expect(table.picture("key", 0)).rejects.toThrow(/row 1: holds no picture in "key"/);
  await expect(table.picture("input_image_raw", 3)).rejects.toThrow(DataFormatError);
});

it("is refused by name where it is missing or cut, and never hangs where bytes are wrong", async () => {
  await expect(ParquetTable.open(join(folder, "none.parquet"))).rejects.toThrow(InputError);
  const whole = await readFile(TABLE);
  const path = join(folder, "damaged.parquet");
  for (const length of [0, 3, 8, whole.length >> 1, whole.length - 1]) {
    await writeFile(path, whole.subarray(0, length));
    await expect(ParquetTable.open(path), `${length}`).rejects.toThrow(DataFormatError);
  }
  const rng = new CounterRng(1);
  for (let round = 0; round < 200; round++) {
    const damaged = Buffer.from(whole);
    for (let change = 0; change < 4; change++) damaged[rng.below(whole.length)] = rng.below(256);
    await writeFile(path, damaged);
    const reading = GEDIT_BENCH.items([path], { count: 1, name: "tiny", images: undefined }).then(
      async (items) => {
        for (const { shown } of items) {
          for (const source of Object.values(shown)) if (typeof source !== "string") await source();
        }
      },
    );
    await reading.catch((error: unknown) => expect(error).toBeInstanceOf(DataFormatError));
  }
});
