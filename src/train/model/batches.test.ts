import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { LocalFolder } from "../../files/local-folder.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { buildPromptRows } from "../../sequence/prompt.ts";
import type { Grid } from "../../sequence/segments.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import type { SampleText } from "../data/dataset-reader.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { type BatchStream, PaddedBatches, type PlannedBatch } from "./batches.ts";
import type { DataSetConfig } from "./model-train-config.ts";
import { PackedBatches } from "./packed-batches.ts";
import { type SampleSettings, SampleSource } from "./samples.ts";

const tokenizer = await loadTokenizer(
  new LocalFolder(fileURLToPath(new URL("../../../test/parity/models/train/", import.meta.url))),
);
const { pad, eos, boi, placeholder, area } = tokenizer.specials;
const GRIDS: readonly Grid[] = [
  [2, 2],
  [1, 3],
];
const plain: SampleSettings = { seed: 5, captions: "weighted", dropText: 0, dropCaption: 0 };
const limits = { maxLength: 60, maxImageTokens: 4 };

interface FakeSample {
  readonly caption: string;
  readonly grids: readonly Grid[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

function source(
  samples: readonly FakeSample[],
  others: Partial<DataSetConfig> = {},
  settings: Partial<SampleSettings> = {},
  set = 0,
): SampleSource {
  const data = {
    length: samples.length,
    placeOf: (index: number) => ({ tar: "test.tar", key: String(index) }),
    tarLengths: [Math.ceil(samples.length / 2), Math.floor(samples.length / 2)],
    textAt: async (index: number): Promise<SampleText> => {
      const { caption, metadata = {} } = samples[index]!;
      return {
        key: `s${index}`,
        where: `sample ${index}`,
        captions: [{ text: caption, weight: 1 }],
        metadata,
        description: { caption },
      };
    },
    imagesAt: async (index: number): Promise<RgbImage[]> =>
      samples[index]!.grids.map(([height, width]) => ({
        height: 16 * height,
        width: 16 * width,
        data: new Uint8Array(0),
      })),
  };
  const latents = { gridsOf: async (index: number) => samples[index]!.grids };
  const config: DataSetConfig = { path: "", type: "image_text_pair", ...others };
  return new SampleSource(
    { set, config, data, latents: config.type === "nlp" ? undefined : latents, faults: new FaultySamples(0) },
    tokenizer,
    { ...plain, ...settings },
    limits,
  );
}

const pairs = (count: number): FakeSample[] =>
  Array.from({ length: count }, (_, index) => ({
    caption: "word ".repeat(1 + (index % 7)).trim(),
    grids: [GRIDS[index % 2]!],
  }));

async function take(stream: BatchStream, count: number): Promise<PlannedBatch[]> {
  const batches: PlannedBatch[] = [];
  for (let index = 0; index < count; index++) batches.push(...(await stream.next()));
  return batches;
}

/** Each image must have as many placeholders as its grid, in the order of the batch. */
function placeholdersOf({ ids }: PlannedBatch): number {
  return ids.filter((id) => id === placeholder).length;
}

describe("samples of a visit", () => {
  it("leaves the caption out in the very form that guidance compares with", async () => {
    const built = await source(pairs(2), {}, { dropCaption: 1 }).build(0);
    const ids = built!.sample.ids;
    const [height, width] = built!.sample.grids[0]!;
    const prompt = buildPromptRows(tokenizer, {
      captions: ["anything"],
      images: null,
      imagesPerCaption: 1,
      positive: null,
      negative: null,
      size: [16 * height, 16 * width],
      cfg: 3,
      cfgImg: 1,
      code: "P-B",
    });
    const unconditional = prompt.rows[1]!.ids;
    expect(unconditional[0]).toBe(area);
    expect(ids.slice(0, unconditional.length)).toEqual(unconditional);
    expect(ids).toHaveLength(unconditional.length + height * width + 2);
  });

  it("puts the caption behind the picture, or before it", async () => {
    const behind = await source(pairs(2), {}, { dropText: 1 }).build(0);
    expect(behind!.sample.ids[0]).toBe(area);
    const before = await source(pairs(2)).build(0);
    expect(before!.sample.ids[0]).not.toBe(area);
    expect([...behind!.sample.ids].sort()).toEqual([...before!.sample.ids].sort());
  });

  it("gives the same sample for the same visit, and others in the next epoch", async () => {
    const settings = { dropText: 0.5 };
    const [a, b] = [source(pairs(9), {}, settings), source(pairs(9), {}, settings)];
    const visits = Array.from({ length: 18 }, (_, visit) => visit);
    const first = await Promise.all(visits.map((visit) => a.build(visit)));
    const backwards = await Promise.all(visits.toReversed().map((visit) => b.build(visit)));
    expect(backwards.reverse()).toEqual(first);
    const order = first.map((built) => built!.images[0]!.sample);
    expect([...order.slice(0, 9)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(order.slice(9)).not.toEqual(order.slice(0, 9));
  });

  it("reads the source of an edit and predicts its result", async () => {
    const edit = { caption: "<image_0>make it red<image_1>", grids: [GRIDS[0]!, GRIDS[1]!] };
    const editing = source([edit, edit], { type: "image_editing" });
    let complete = 0;
    for (let visit = 0; visit < 20; visit++) {
      const built = await editing.build(visit);
      const flags = built!.images.map(({ predicted }) => predicted);
      expect(flags).toEqual(flags.map((_flag, index) => index === flags.length - 1));
      expect(built!.images.at(-1)!.image).toBe(1);
      if (flags.length === 2) complete++;
    }
    expect(complete).toBeGreaterThan(10);
  });

  it("predicts all pictures of an interleaved sample, and keeps as many as fit", async () => {
    const count = 12;
    const caption = Array.from({ length: count }, (_, index) => `step ${index} <image_${index}>`).join(" ");
    const grids = new Array<Grid>(count).fill(GRIDS[0]!);
    const built = await source(
      [
        { caption, grids },
        { caption, grids },
      ],
      { type: "interleave" },
    ).build(0);
    const places = built!.images.map(({ image }) => image);
    expect(places).toHaveLength(Math.floor(limits.maxLength / (2 * limits.maxImageTokens)));
    expect(places).toEqual(places.map((_place, index) => places[0]! + index));
    expect(built!.images.every(({ predicted }) => predicted)).toBe(true);
  });

  it("leaves out what the filter rejects", async () => {
    const samples = pairs(4).map((sample, index) => ({ ...sample, metadata: { score: index } }));
    const strict = source(samples, { filter: { numbers: { score: 2 } } });
    const kept = [];
    for (let visit = 0; visit < 4; visit++) kept.push((await strict.build(visit))?.images[0]?.sample);
    expect(kept.filter((sample) => sample !== undefined).sort()).toEqual([2, 3]);
    const small = source(samples, { filter: { height: 32 } });
    const taken = [];
    for (let visit = 0; visit < 4; visit++) taken.push((await small.build(visit))?.sample.grids[0]);
    // Every other sample is too low.
    expect(taken.filter((grid) => grid !== undefined)).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });
});

describe("a sample a row", () => {
  const options = { seed: 5, batch: 4, accumulate: 1, pad };

  it("visits everything once an epoch and wastes little", async () => {
    const batches = await take(new PaddedBatches([source(pairs(32))], options), 8);
    const seen = batches.flatMap(({ images }) => images.map(({ sample }) => sample));
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, index) => index));
    const ids = batches.flatMap((batch) => [...batch.ids]);
    expect(ids.filter((id) => id === pad).length / ids.length).toBeLessThan(0.1);
    for (const batch of batches) {
      expect(batch.ids.filter((id) => id === boi)).toHaveLength(batch.rows);
      expect(batch.labels).toHaveLength(batch.rows * batch.tokens);
    }
  });

  it("goes on from any position as if it had not stopped", async () => {
    const sources = () => [source(pairs(10)), source(pairs(6), {}, {}, 1)];
    const whole = await take(new PaddedBatches(sources(), options), 20);
    for (const stop of [1, 7, 8, 9, 16]) {
      const first = new PaddedBatches(sources(), options);
      await take(first, stop);
      const second = new PaddedBatches(sources(), options);
      second.restorePosition(JSON.parse(JSON.stringify(first.position())));
      expect(await take(second, 20 - stop)).toEqual(whole.slice(stop));
    }
  });

  it("mixes data sets by weight", async () => {
    const sources = [source(pairs(10), { samples: 1 }), source(pairs(10), { samples: 3 }, {}, 1)];
    const batches = await take(new PaddedBatches(sources, { ...options, batch: 25 }), 8);
    const sets = batches.flatMap(({ images }) => images.map(({ set }) => set));
    expect(sets.filter((set) => set === 1).length / sets.length).toBeCloseTo(0.75, 1);
  });

  it("spreads texts over the updates, and names one that is too long", async () => {
    const texts = ["a text", "another text", "word ".repeat(2000)].map((caption) => ({ caption, grids: [] }));
    const some = source(texts.slice(0, 2), { type: "nlp", samples: 1 }, {}, 1);
    const sources = [source(pairs(10), { samples: 3 }), some];
    const batches = await take(new PaddedBatches(sources, { ...options, batch: 16 }), 8);
    const rowsOfText = batches.map(({ rows, images }) => rows - images.length);
    expect(Math.max(...rowsOfText) - Math.min(...rowsOfText)).toBeLessThanOrEqual(1);
    expect(rowsOfText.every((rows) => rows > 0)).toBe(true);
    expect(batches.every((batch) => batch.ids.filter((id) => id === eos).length === batch.rows)).toBe(true);
    const long = source(texts, { type: "nlp" });
    await expect(take(new PaddedBatches([long], options), 8)).rejects.toThrow(/more than the 1024 of a row/);
  });

  it("shows first what the curriculum names, and everything after it", async () => {
    const samples = pairs(32).map((sample, index) => ({ ...sample, metadata: { rank: index + 1 } }));
    const curriculum = [
      { until: 8, numbers: { rank: -4 } },
      { until: 16, numbers: { rank: -8 } },
    ];
    const stream = new PaddedBatches([source(samples)], { ...options, curriculum });
    const shown = async (): Promise<number> =>
      new Set((await take(stream, 8)).flatMap(({ images }) => images.map(({ sample }) => sample))).size;
    expect([await shown(), await shown(), await shown()]).toEqual([4, 8, 32]);
  });

  it("refuses data of which nothing is left", async () => {
    const nothing = new PaddedBatches([source(pairs(4), { filter: { height: 999 } })], options);
    await expect(nothing.next()).rejects.toThrow(/every sample/);
    expect(nothing.leftOut).toBe(5);
  });
});

describe("packed rows", () => {
  const options = {
    seed: 5,
    batch: 2,
    accumulate: 1,
    pad,
    eos,
    maxLength: 60,
    isolateSamples: false,
    grids: GRIDS,
  };
  const mix = () => [
    source(pairs(10), { samples: 2 }),
    source([{ caption: "some text without a picture", grids: [] }], { type: "nlp", samples: 1 }, {}, 1),
  ];

  it("fills rows of one bucket and mixes in text", async () => {
    const batches = await take(new PackedBatches(mix(), options), 30);
    let textRows = 0;
    for (const batch of batches) {
      expect(batch.ids).toHaveLength(2 * 60);
      const sizes = batch.images.map(({ sample }) => GRIDS[sample % 2]!);
      expect(new Set(sizes).size).toBeLessThanOrEqual(1);
      expect(placeholdersOf(batch)).toBe(sizes.reduce((sum, [height, width]) => sum + height * width, 0));
      for (let row = 0; row < batch.rows; row++) {
        const ids = batch.ids.subarray(row * 60, (row + 1) * 60);
        if (ids.includes(boi)) continue;
        textRows++;
        expect(batch.labels.subarray(row * 60, (row + 1) * 60)).toEqual(ids);
      }
    }
    expect(textRows / 60).toBeGreaterThan(0.2);
    expect(textRows / 60).toBeLessThan(0.5);
  });

  it("goes on from any position as if it had not stopped", async () => {
    const whole = await take(new PackedBatches(mix(), options), 12);
    for (const stop of [1, 5, 8]) {
      const first = new PackedBatches(mix(), options);
      await take(first, stop);
      const second = new PackedBatches(mix(), options);
      second.restorePosition(JSON.parse(JSON.stringify(first.position())));
      expect(await take(second, 12 - stop)).toEqual(whole.slice(stop));
    }
    expect(() => new PackedBatches(mix(), options).restorePosition({ row: -1 })).toThrow(/no position/);
  });

  it("numbers the samples of a row when they are not to see each other", async () => {
    const stream = new PackedBatches([source(pairs(10))], { ...options, isolateSamples: true });
    const [batch] = (await stream.next()) as [PlannedBatch];
    const { samples, ids } = batch;
    for (let at = 1; at < ids.length; at++) {
      const begins = at % 60 === 0 ? 0 : samples![at - 1]! + (ids[at - 1] === eos ? 1 : 0);
      expect(samples![at]).toBe(begins);
    }
    expect(new Set(samples!.subarray(0, 60)).size).toBeGreaterThan(1);
  });

  it("refuses rows that no sample fits", async () => {
    const stream = new PackedBatches([source(pairs(4))], { ...options, maxLength: 5 });
    await expect(stream.next()).rejects.toThrow(/every sample/);
  });
});
