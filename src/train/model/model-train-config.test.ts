/** @file The configs that come with the repository fit their schema. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { loadTrainConfig } from "../loop/train-config.ts";
import { modelTrainConfigSchema } from "./model-train-config.ts";

it.each([
  ["model.json", 256],
  ["model-second.json", 256],
])("reads configs/%s", async (name, imageSize) => {
  const path = fileURLToPath(new URL(`../../../configs/${name}`, import.meta.url));
  const config = await loadTrainConfig(modelTrainConfigSchema, path);
  expect(config).toMatchObject({ imageSize, aspectBuckets: true, packing: null, captions: "weighted" });
});
