/** @file Captions with a thought between prompt and picture: what is trained on is what drawing with a thought reads. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeZlib } from "../../files/zlib.ts";
import { Model } from "../../generate/model.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { encodePng } from "../../image/encode-png.ts";
import { nodePlatform } from "../../node/platform.ts";
import { SampleWriter } from "../data/sample-writer.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import { modelTrainConfigSchema } from "./model-train-config.ts";
import { trainModel } from "./train-model.ts";

const SIDE = 32;
const THOUGHTS = { sunset: "an orange sky", forest: "tall green trees" } as const;
let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-think-"));
  await mkdir(join(root, "data"));
  await using writer = new SampleWriter(join(root, "data"));
  for (const [prompt, thought] of Object.entries(THOUGHTS)) {
    const data = new Uint8Array(3 * SIDE * SIDE).fill(prompt.length * 20);
    const bytes = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
    const caption = `${prompt}<|begin_of_thinking|>${thought}<|end_of_thinking|>`;
    await writer.add(prompt, { caption }, [{ bytes, extension: "png" }]);
  }
  await writer.close();
});
afterAll(() => rm(root, { recursive: true }));

it("has the model think before it draws", async () => {
  const config = parseTrainConfig(
    modelTrainConfigSchema,
    {
      ...{ output: join(root, "run"), data: join(root, "data"), start: testModelPath("v1.1") },
      autoencoder: join(testModelPath("v1.1"), "vae"),
      ...{ imageSize: SIDE, aspectBuckets: false, steps: 150, batch: 2, packing: null, dropText: 0 },
      captions: "weighted",
      model: { lm_loss_weight: 1 },
      optimizer: { learningRate: 0.01, weightDecay: 0 },
      loop: { saveEvery: 0, validateEvery: 0, sampleEvery: 0 },
      engine: { threads: 1 },
    },
    "think",
  );
  const { model: folder } = await trainModel(config);
  await using model = await Model.open(nodePlatform, folder, { threads: 1 });
  for (const [prompt, thought] of Object.entries(THOUGHTS)) {
    const [picture] = await model.draw(prompt, {
      ...{ steps: 2, cfg: 1, positive: "", seed: 1, think: true, size: { width: SIDE, height: SIDE } },
    });
    expect(picture?.recipe.thought).toMatchObject({
      text: `<|begin_of_thinking|>${thought}<|end_of_thinking|>`,
      finishReason: "stop",
    });
  }
}, 240_000);
