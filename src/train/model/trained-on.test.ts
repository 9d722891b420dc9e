import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import { SampleWriter } from "../data/sample-writer.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import { modelTrainConfigSchema } from "./model-train-config.ts";
import { TrainingTars } from "./stage-data.ts";
import { nextstepJson } from "./stage-inputs.ts";
import { surveyTraining } from "./trained-on.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "trained-"));
  const sizes = [
    [64, 64],
    [48, 80],
  ] as const;
  const captions = [["Red apple", "an apple"], ["two dogs"], ["dog"]];
  for (const folder of ["pictures", "unused"]) {
    await using writer = new SampleWriter(join(root, folder));
    for (const [index, texts] of captions.entries()) {
      const [height, width] = sizes[index % 2]!;
      const bytes = await encodePng({ height, width, data: new Uint8Array(3 * height * width) }, nodeZlib);
      const caption_all = texts.map((text) => (folder === "unused" ? `unused ${text}` : text));
      const json = { caption: caption_all[0]!, caption_all, metadata: { rank: index + 1 } };
      await writer.add(`s${index}`, json, [{ bytes, extension: "png" }]);
    }
    await writer.close();
  }
  const subjects = ["red apple", "dog", "zebra"];
  await writeFile(join(root, "subjects.json"), JSON.stringify({ subjects }));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

function settings(others: Readonly<Record<string, unknown>> = {}) {
  const data = [{ path: join(root, "pictures") }, { path: join(root, "unused"), samples: 0 }];
  const json = { output: join(root, "run"), data, autoencoder: "a", steps: 9, packing: null };
  return parseTrainConfig(modelTrainConfigSchema, { ...json, captions: "weighted", ...others }, "test");
}

it("says which sizes, subjects and words training shows, for each lesson", async () => {
  const config = settings({ imageSize: 64, curriculum: [{ until: 4, numbers: { rank: -1 } }] });
  await using tars = await TrainingTars.open(config.data);
  const survey = await surveyTraining({ ...config, pixelsPerToken: 16 }, tars);
  expect(survey).toEqual({
    all: {
      sizes: [
        [64, 64],
        [48, 80],
      ],
      subjects: ["red apple", "dog"],
      words: ["an", "apple", "dog", "dogs", "red", "two"],
    },
    lessons: [{ sizes: [[64, 64]], subjects: ["red apple"], words: ["an", "apple", "red"] }],
  });
  expect(await surveyTraining({ ...config, pixelsPerToken: 16 }, tars)).toEqual(survey);
  expect(await readdir(join(root, "run", "trained"))).toHaveLength(1);
});

it("names squares where there are no aspect buckets, and the words of captions under keys and in templates", async () => {
  const captions = { keys: ["caption"], templates: ["a photo of {text}"] };
  const config = settings({ imageSize: 32, aspectBuckets: false, captions });
  await using tars = await TrainingTars.open(config.data);
  const { all } = await surveyTraining({ ...config, pixelsPerToken: 16 }, tars);
  expect(all.sizes).toEqual([[32, 32]]);
  expect(all.words).toEqual(["a", "apple", "dog", "dogs", "of", "photo", "red", "two"]);
});

it("adds what is learned to what the start knew, but keeps the start's sizes out", () => {
  const start = {
    generation: { cfg: 2 },
    trained: { sizes: [[128, 128]], subjects: ["cat"], words: ["cat", "a"] },
  };
  expect(nextstepJson(start, { sizes: [[256, 256]], subjects: ["dog"], words: ["a", "dog"] })).toEqual({
    generation: { cfg: 2 },
    trained: { sizes: [[256, 256]], subjects: ["cat", "dog"], words: ["a", "cat", "dog"] },
  });
  expect(nextstepJson({}, { sizes: [[32, 32]], words: [] })).toEqual({
    trained: { sizes: [[32, 32]], words: [] },
  });
});
