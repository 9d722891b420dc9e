/** @file The configs that come with the repository fit their schema. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { loadTrainConfig } from "../loop/train-config.ts";
import { modelTrainConfigSchema } from "./model-train-config.ts";

it.each(["model.json", "model-second.json"])("reads configs/%s", async (name) => {
  const path = fileURLToPath(new URL(`../../../configs/${name}`, import.meta.url));
  const config = await loadTrainConfig(modelTrainConfigSchema, path);
  expect(config).toMatchObject({ imageSize: 128, aspectBuckets: false, packing: null, captions: "weighted" });
});
