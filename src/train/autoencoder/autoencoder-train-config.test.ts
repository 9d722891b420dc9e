/** @file The configs that come with the repository fit their schema and follow each other. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { loadTrainConfig } from "../loop/train-config.ts";
import { autoencoderTrainConfigSchema } from "./autoencoder-train-config.ts";

const read = (name: string) => {
  const path = fileURLToPath(new URL(`../../../configs/${name}.json`, import.meta.url));
  return loadTrainConfig(autoencoderTrainConfigSchema, path);
};

it("reads the configs of the autoencoder's stages, each starting from the one before", async () => {
  const first = await read("autoencoder");
  const last = await read("autoencoder-final");
  const blocks = await read("autoencoder-blocks");
  const decoder = await read("autoencoder-decoder");
  expect(first.phases.map(({ crop }) => crop)).toEqual([64, 128]);
  expect(first).toMatchObject({ seed: 42, resolution: 256, start: null });
  expect(last.start).toBe(`${first.output}/model/raw`);
  expect(last.loop.schedule.finalFactor).toBe(0);
  expect(blocks).toMatchObject({ start: `${last.output}/model`, train: "decoder" });
  expect(decoder).toMatchObject({ start: `${blocks.output}/model`, train: "decoder" });
  expect(last.autoencoder).toEqual(first.autoencoder);
  for (const { autoencoder } of [blocks, decoder]) {
    expect(autoencoder).toEqual({ ...first.autoencoder, pixel_shuffle: 2 });
  }
});
