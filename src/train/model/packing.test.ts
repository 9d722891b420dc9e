import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import type { ImageSize } from "../../image/pixels.ts";
import { type Grid, gridOf, gridText } from "../../sequence/segments.ts";
import { createTokenizer, loadTokenizer, type TextTokenizer } from "../../sequence/tokenizer.ts";
import { readTokenizerFiles } from "../../sequence/tokenizer-files.ts";
import { SamplePacker, TextPacker } from "./packing.ts";
import {
  bucketKey,
  editingSample,
  imageTextSample,
  interleavedSample,
  type TrainingSample,
  textIds,
} from "./training-sample.ts";

const parity = fileURLToPath(new URL("../../../test/parity/", import.meta.url));

interface Run {
  tokenizer: string;
  bos_token: string | null;
  data_type: string;
  drop_text_prob: number;
  max_len: number;
  grids: Grid[];
  samples: { caption: string; images: ImageSize[]; text: string }[];
  rows: {
    input_ids: number[];
    labels: number[];
    image_flags: number[];
    padding: number;
    samples: number[];
    image_shapes: number[][];
  }[];
  per_sample: {
    sample: number;
    input_ids: number[];
    labels: number[];
    image_flags: number[];
    key: string | null;
  }[];
  left_over_lengths: Record<string, number>;
  left_over_ids: number[];
}

const runs = readdirSync(join(parity, "cases"))
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(parity, "cases", name), "utf8")))
  .filter((item) => item.kind === "packing")
  .flatMap((item): Run[] => item.runs);

/** A tokenizer of the parity set, with another bos_token. */
async function tokenizerWith(model: string, bosToken: string | null): Promise<TextTokenizer> {
  const files = await readTokenizerFiles(new LocalFolder(join(parity, "models", model)));
  return createTokenizer({ ...files, names: { ...files.names, bosToken } });
}

function buildSample(tokenizer: TextTokenizer, run: Run, sample: Run["samples"][number]): TrainingSample {
  const grids = sample.images.map((size) => gridOf(size, "image"));
  if (run.data_type === "image_editing") return editingSample(tokenizer, sample.caption, grids);
  if (run.data_type === "interleave") {
    const maxImageTokens = Math.max(...run.grids.map(([height, width]) => height * width));
    const limits = { maxLen: run.max_len, maxImageTokens, random: () => 0 };
    return interleavedSample(tokenizer, sample.caption, grids, limits);
  }
  return imageTextSample(tokenizer, sample.caption, grids[0] ?? [1, 1], {
    dropText: run.drop_text_prob === 1,
  });
}

describe("parity with the published code", () => {
  const named = runs.map((run, index) => [index, run.data_type, run.drop_text_prob, run] as const);
  it.each(named)("run %i: %s, text dropped with probability %d", async (_, type, __, run) => {
    const tokenizer = await tokenizerWith(run.tokenizer, run.bos_token);
    if (type === "nlp") {
      const packer = new TextPacker(run.max_len);
      const rows = run.samples.flatMap(({ text }) => packer.push(textIds(tokenizer, text)));
      expect(rows).toEqual(run.rows.map((row) => row.input_ids));
      expect(rows).toEqual(run.rows.map((row) => row.labels));
      expect(packer.state()).toEqual(run.left_over_ids);
      return;
    }
    const options = { maxLen: run.max_len, pad: tokenizer.specials.pad, grids: run.grids };
    let packer = new SamplePacker<number>(options);
    const rows = [];
    for (const [index, sample] of run.samples.entries()) {
      const built = buildSample(tokenizer, run, sample);
      const pushed = packer.push(built, index);
      rows.push(...pushed.rows);
      const expected = run.per_sample.find((item) => item.sample === index);
      expect(built.ids).toEqual(expected?.input_ids);
      expect(built.labels).toEqual(expected?.labels);
      expect(built.imageFlags).toEqual(expected?.image_flags);
      expect(pushed.key).toBe(expected?.key);
      // A restart after any sample must change nothing.
      const state: unknown = JSON.parse(JSON.stringify(packer.state()));
      packer = new SamplePacker<number>(options);
      packer.restore(state, Number);
    }
    expect(rows.length).toBe(run.rows.length);
    for (const [index, row] of rows.entries()) {
      const expected = run.rows[index];
      expect(row.ids).toEqual(expected?.input_ids);
      expect(row.labels).toEqual(expected?.labels);
      expect(row.imageFlags).toEqual(expected?.image_flags);
      expect(row.padding).toBe(expected?.padding);
      expect(row.sources).toEqual(expected?.samples);
      expect(row.grids.map(([h, w]) => [1, 3, 16 * h, 16 * w])).toEqual(expected?.image_shapes);
    }
    expect(Object.fromEntries(packer.waiting())).toEqual(run.left_over_lengths);
  });
});

describe("samples", () => {
  let plain: TextTokenizer;
  beforeAll(async () => {
    plain = await loadTokenizer(new LocalFolder(join(parity, "models/v1")));
  });

  it("keep the first caption id in front of the image when a bos_token is set and text is dropped", async () => {
    const tokenizer = await tokenizerWith("v1", "<|endoftext|>");
    const { boi, eoi, placeholder, eos } = tokenizer.specials;
    const size = plain.encode("1*2");
    const [first, ...rest] = plain.encode("two birds");
    const image = [...size, boi, placeholder, placeholder, eoi];
    const dropped = imageTextSample(tokenizer, "two birds", [1, 2], { dropText: true });
    expect(dropped.ids).toEqual([first, ...image, ...rest, eos]);
    const kept = imageTextSample(tokenizer, "two birds", [1, 2], { dropText: false });
    expect(kept.ids).toEqual([first, ...rest, ...image, eos]);
    const empty = imageTextSample(tokenizer, "", [1, 2], { dropText: true });
    expect(empty.ids).toEqual([...image, eos]);
    expect(empty.labels).toEqual([...size, -100, -100, placeholder, eoi, -100]);
  });

  it("leave out images of a long interleaved sample, each with the text before it", () => {
    const { eoi, eos } = plain.specials;
    const caption = "a<image_0>b<image_1>c<image_2>d";
    const grids: Grid[] = [
      [1, 1],
      [1, 2],
      [1, 1],
    ];
    const limits = { maxLen: 16, maxImageTokens: 4, random: () => 0.99 };
    const sample = interleavedSample(plain, caption, grids, limits);
    expect(sample.images).toEqual([1, 2]);
    expect(sample.grids).toEqual(grids.slice(1));
    expect(sample.ids[0]).toBe(plain.encode("b")[0]);
    expect(sample.ids.slice(-2)).toEqual([eoi, eos]);
    expect(sample.labels.at(-1)).toBe(-100);
  });

  it("refuse captions that do not match their images", () => {
    const grids: Grid[] = [[1, 1]];
    const limits = { maxLen: 64, maxImageTokens: 1, random: () => 0 };
    expect(() => editingSample(plain, "<image_0><image_1>", grids)).toThrow(DataFormatError);
    expect(() => editingSample(plain, "<image_0><|image_placeholder|>", grids)).toThrow(DataFormatError);
    expect(() => interleavedSample(plain, "no tag", grids, limits)).toThrow(DataFormatError);
    expect(() => interleavedSample(plain, "<image_0>", grids, { ...limits, maxLen: 1 })).toThrow(
      DataFormatError,
    );
    const stray = imageTextSample(plain, "<|begin_of_image|>", [1, 1], { dropText: false });
    expect(stray.spans).toBeNull();
  });

  it("share a bucket only with samples of the same grid", () => {
    expect(bucketKey([[2, 3]])).toBe("2*3");
    expect(
      bucketKey([
        [2, 3],
        [2, 3],
      ]),
    ).toBe("2*3");
    expect(
      bucketKey([
        [2, 3],
        [3, 2],
      ]),
    ).toBe("0*0");
  });
});

describe("packing", () => {
  const grids: Grid[] = [
    [1, 1],
    [1, 2],
  ];
  function sampleOf(length: number, grid: Grid): TrainingSample {
    const ids = Array.from({ length }, (_, n) => n);
    return { ids, labels: ids, grids: [grid], images: [0], imageFlags: [1], spans: [] };
  }

  it("loses, repeats and splits no sample", () => {
    let state = 7;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const packer = new SamplePacker<number>({ maxLen: 50, pad: -1, grids });
    const pushed = new Map<string, number[]>();
    const seen = new Map<string, number[]>();
    const lengths: number[] = [];
    for (let index = 0; index < 500; index++) {
      const grid = grids[random() < 0.5 ? 0 : 1] ?? [1, 1];
      lengths.push(1 + Math.floor(random() * 50));
      const { key, rows } = packer.push(sampleOf(lengths[index] ?? 0, grid), index);
      expect(key).toBe(gridText(grid));
      pushed.set(gridText(grid), [...(pushed.get(gridText(grid)) ?? []), index]);
      for (const row of rows) {
        expect(row.ids.length).toBe(50);
        expect(row.labels.length).toBe(50);
        const used = row.sources.reduce((sum, source) => sum + (lengths[source] ?? 0), 0);
        expect(used + row.padding).toBe(50);
        seen.set(row.key, [...(seen.get(row.key) ?? []), ...row.sources]);
      }
      for (const length of packer.waiting().values()) expect(length).toBeLessThan(50);
    }
    for (const [key, samples] of packer.state().buckets) {
      const all = [...(seen.get(key) ?? []), ...samples.map((sample) => sample.source)];
      expect(all).toEqual(pushed.get(key) ?? []);
    }
  });

  it("refuses what cannot be trained on, and unknown grids", () => {
    const packer = new SamplePacker<null>({ maxLen: 4, pad: 0, grids });
    expect(packer.push(sampleOf(5, [1, 1]), null).refusal).toContain("do not fit");
    expect(packer.push({ ...sampleOf(3, [1, 1]), spans: null }, null).refusal).toContain("do not match");
    expect(() => packer.push(sampleOf(3, [3, 3]), null)).toThrow(InputError);
    expect(packer.push(sampleOf(4, [1, 2]), null).rows.length).toBe(1);
  });

  it("refuses a damaged or foreign state", () => {
    const packer = new SamplePacker<number>({ maxLen: 4, pad: 0, grids });
    const waiting = { ids: [1], labels: [1], grids: [[1, 1]], imageFlags: [1], source: 0 };
    const bad: unknown[] = [
      null,
      {},
      { buckets: [["9*9", []]] },
      { buckets: [["1*1", [{ ...waiting, ids: ["1"] }]]] },
      { buckets: [["1*1", [{ ...waiting, labels: [] }]]] },
      { buckets: [["1*1", [{ ...waiting, ids: [1, 2, 3, 4, 5], labels: [1, 2, 3, 4, 5] }]]] },
    ];
    for (const state of bad) expect(() => packer.restore(state, Number)).toThrow(DataFormatError);
    const text = new TextPacker(3);
    for (const state of [null, [1, 2, 3], [0.5]]) expect(() => text.restore(state)).toThrow(DataFormatError);
    text.restore([1, 2]);
    expect(text.push([3, 4])).toEqual([[1, 2, 3]]);
  });
});
