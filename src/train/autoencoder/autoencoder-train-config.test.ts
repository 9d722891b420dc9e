/** @file The config that comes with the repository fits its schema. */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { loadTrainConfig } from "../loop/train-config.ts";
import { autoencoderTrainConfigSchema } from "./autoencoder-train-config.ts";

it("reads configs/autoencoder.json", async () => {
  const path = fileURLToPath(new URL("../../../configs/autoencoder.json", import.meta.url));
  const config = await loadTrainConfig(autoencoderTrainConfigSchema, path);
  expect(config.phases.map(({ crop }) => crop)).toEqual([64, 128]);
  expect(config).toMatchObject({ seed: 42, resolution: 128 });
});
